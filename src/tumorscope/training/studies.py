"""Optuna's studies: opened so that they can be gone on with, by several workers too."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.progress import track

if TYPE_CHECKING:
    import optuna

IDENTITY = "tumorscope_identity"

HEARTBEAT, GRACE = 30, 90
"""Seconds between signs of life of a running trial, and without one until it counts as dead."""


def open_study(url: str, *, name: str, identity: str, objective: str, seed: int) -> optuna.Study:
    """Open a study, or begin it.

    Parameters
    ----------
    url : str
        Of the database.
    name : str
        Of the study within this search.
    identity : str
        Of cohort, recipe and space; a study of another identity is refused.
    objective : str
        Kept with the study.
    seed : int
        Of the sampler.

    Raises
    ------
    InputError
        If the database cannot be reached, or its study belongs to another search.
    UsageError
        If Optuna is not installed.
    """
    try:
        import optuna
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError as error:
        raise UsageError(
            'Searching needs Optuna, which is not installed. Run: pip install "tumorscope[tune]"'
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            # The heartbeat is "experimental" since 2021.
            warnings.simplefilter("ignore")
            storage = optuna.storages.RDBStorage(
                url, heartbeat_interval=HEARTBEAT, grace_period=GRACE
            )
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction="minimize",
            load_if_exists=True,
            sampler=optuna.samplers.TPESampler(seed=seed),
            # The first trials show what is usual; later ones end early where they are worse.
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=0),
        )
    except (SQLAlchemyError, ImportError, ValueError, OSError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"Cannot use the storage {url} ({first}). Expected a database URL such as "
            "sqlite:///study.db or postgresql://user@host/name that can be written to. Check the "
            "address, or leave --storage out."
        ) from error
    theirs = study.user_attrs.get(IDENTITY)
    if theirs is None:
        study.set_user_attr(IDENTITY, identity)
        study.set_user_attr("objective", objective)
    elif theirs != identity:
        raise InputError(
            f"The storage {url} holds a search over another cohort, recipe or space. Expected the "
            "same as when it was begun. Give them again, or another --storage or -o."
        )
    return study


def finished(study: optuna.Study, *, complete: bool = False) -> int:
    """Return how many trials were finished, or with `complete` those that were not pruned."""
    from optuna.trial import TrialState

    states = (TrialState.COMPLETE,) if complete else (TrialState.COMPLETE, TrialState.PRUNED)
    return len(study.get_trials(deepcopy=False, states=states))


def run_trials(
    study: optuna.Study,
    judge: Callable[[optuna.Trial], float],
    *,
    trials: int,
    timeout: float | None,
    label: str,
) -> None:
    """Run trials until the study has as many as wanted, this worker's and others' together.

    Trials of killed workers are marked as failed and not counted, so that they are repeated. A
    trial that is interrupted is marked so too, and the interrupt goes on.
    """
    import time

    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optuna.storages.fail_stale_trials(study)
    started = time.monotonic()
    for _ in track(range(max(0, trials - finished(study))), label):
        if finished(study) >= trials:
            break
        if timeout is not None and time.monotonic() - started > timeout:
            break
        study.optimize(judge, n_trials=1)
