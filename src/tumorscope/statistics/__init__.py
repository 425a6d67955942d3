"""Intervals for proportions, AUC and everything else. Pure numpy and scipy."""
