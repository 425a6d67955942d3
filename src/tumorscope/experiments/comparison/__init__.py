"""Several systems on one cohort: the same folds, recipe and report, and what each one costs."""
