"""What is wrong with a cohort, found by looking at every image."""
