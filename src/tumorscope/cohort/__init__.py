"""Many files → `Manifest`: scanning, duplicates, shortcuts, grouped splits, phantoms."""
