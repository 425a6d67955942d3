"""A search over a recipe, nested in grouped folds."""
