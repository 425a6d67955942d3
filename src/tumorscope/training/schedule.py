"""The learning rate as a function of the history instead of a callback's state.

A callback forgets its counters when a run is killed; a function of the tuning losses so far gives
a resumed run the rate that it would have had.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tumorscope.recipes.parts import Optimisation

MIN_DELTA = 1e-4
"""Improvements below this do not count; the default of Keras' ``ReduceLROnPlateau``."""

FLOOR = 0.01
"""Share of the peak at which "cosine" ends."""


def cosine(done: float, *, peak: float, warmup: float) -> float:
    """Return the learning rate after a share `done`, 0 to 1, of a phase's steps.

    It rises in a line to `peak` while `done` is below `warmup`, then falls along half a cosine to
    1 % of it (Loshchilov & Hutter 2017, arXiv:1608.03983).

    Examples
    --------
    >>> [round(cosine(done, peak=0.1, warmup=0.1), 3) for done in (0.0, 0.1, 0.55, 1.0)]
    [0.001, 0.1, 0.05, 0.001]
    """
    if done < warmup:
        return peak * max(done / warmup, FLOOR)
    share = (done - warmup) / (1.0 - warmup)
    return peak * (FLOOR + (1.0 - FLOOR) * 0.5 * (1.0 + math.cos(math.pi * share)))


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
        What Keras' ``ReduceLROnPlateau(patience, factor, min_lr)`` would have set by then; `start`
        where the schedule goes by steps.
    """
    if options.schedule == "cosine":
        return start
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
