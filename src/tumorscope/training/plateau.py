"""Learning rate reduced on plateau, as a function of the history instead of a callback's state.

A callback forgets its counters when a run is killed; a function of the tuning losses so far gives
a resumed run the rate that it would have had.
"""

from __future__ import annotations

from collections.abc import Sequence

from tumorscope.training.recipe import Optimisation

MIN_DELTA = 1e-4
"""Improvements below this do not count; the default of Keras' ``ReduceLROnPlateau``."""


def learning_rate_after(
    tuning_losses: Sequence[float], *, start: float, options: Optimisation
) -> float:
    """Return the learning rate of the next epoch.

    Parameters
    ----------
    tuning_losses : sequence of float
        Of the epochs of this phase so far; empty before its first.
    start : float
        Learning rate of the phase's first epoch.
    options : Optimisation
        Patience, factor and the smallest rate.

    Returns
    -------
    float
        What Keras' ``ReduceLROnPlateau(patience, factor, min_lr)`` would have set by then.
    """
    rate, best, waited = start, float("inf"), 0
    for loss in tuning_losses:
        if loss < best - MIN_DELTA:
            best, waited = loss, 0
            continue
        waited += 1
        if waited >= options.plateau_patience:
            rate = max(rate * options.plateau_factor, options.minimum_learning_rate)
            waited = 0
    return min(rate, start)
