"""Many files → `Manifest`: listing folders, groups, tables that people edit, splits, arrays."""
