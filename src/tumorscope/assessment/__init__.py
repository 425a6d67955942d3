"""A model file or run asked about labelled images: quality, robustness, evidence, speed, seen."""
