"""Many trainings under one protocol: cross-validation, comparison, search."""
