"""Ground floor: errors, files and progress that every room shares."""
