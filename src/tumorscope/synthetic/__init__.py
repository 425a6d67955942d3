"""Pictures that are drawn or disturbed, not scanned: phantoms, lesions, skulls, scanners."""
