"""Intervals and other statistics that every room shares."""

from tumorscope.statistics.intervals import (
    Interval,
    auc,
    auc_and_variance,
    cluster_bootstrap,
    delong,
    wilson,
)

__all__ = ["Interval", "auc", "auc_and_variance", "cluster_bootstrap", "delong", "wilson"]
