"""Trials that their worker did not end: which they are, and that they are run once more.

A worker holds a lock on a file of its own while it lives, and writes the file's name to the study
and to its trials. The kernel lets go of it at a kill, so that who comes next on this machine knows
at once. Of workers elsewhere Optuna's signs of life tell, after a while.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.common.errors import TumorscopeError

if TYPE_CHECKING:
    import optuna

WORKER = "tumorscope_worker"
"""Attribute of a trial: who runs it. Of a study, with the name behind it: whether it may live."""

DRAW = "tumorscope_draw"
"""Attribute of a trial that is run once more: the number by which its values are drawn."""

REPEATS = "tumorscope_repeats"
"""Attribute of such a trial: number of the one that was not ended."""

FAILED = "tumorscope_failed"
"""Attribute of a trial that ended with an error: it is not run again, as it would fail again."""


@contextlib.contextmanager
def living(study: optuna.Study) -> Iterator[str]:
    """Give this worker of a study a name, and let others see in the block that it lives."""
    from filelock import lock_descriptor

    name = secrets.token_hex(16)
    path = _file(name)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a folder without locks: Optuna's signs have to do
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            stack.callback(_remove, path)
            stack.callback(os.close, descriptor)
            lock_descriptor(descriptor, blocking=False)
        study.set_user_attr(f"{WORKER}_{name}", True)
        try:
            yield name
        except (KeyboardInterrupt, TumorscopeError):  # not where the database itself fails
            study.set_user_attr(f"{WORKER}_{name}", False)
            raise
        study.set_user_attr(f"{WORKER}_{name}", False)


def watched(judge: Callable[[optuna.Trial], float], worker: str) -> Callable[[optuna.Trial], float]:
    """Return a judge that leaves with each trial who ran it, and whether it ended with an error."""
    import optuna

    def judge_watched(trial: optuna.Trial) -> float:
        trial.set_user_attr(WORKER, worker)
        try:
            return judge(trial)
        except optuna.TrialPruned:
            raise
        except Exception:
            trial.set_user_attr(FAILED, True)
            raise

    return judge_watched


def repeat_what_was_killed(study: optuna.Study, worker: str) -> None:
    """Mark trials of dead workers as failed, and queue each that was not ended once more.

    The worker that asks has none that runs.

    Two workers that look at the same moment may both queue it: it is then fitted once, as
    parameters that were tried are not fitted again, and counts twice.
    """
    import optuna
    from optuna.trial import TrialState

    _fail_killed(study, worker)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "experimental" since 2021
        optuna.storages.fail_stale_trials(study)
    trials = study.get_trials(deepcopy=False)
    repeated = {trial.user_attrs.get(REPEATS) for trial in trials}
    for trial in trials:
        ended = trial.state is not TrialState.FAIL or FAILED in trial.user_attrs
        if not ended and trial.number not in repeated:
            said = {REPEATS: trial.number, DRAW: draw_of(trial, trials)}
            study.enqueue_trial({}, user_attrs=said)


def _fail_killed(study: optuna.Study, worker: str) -> None:
    """Mark the trials of workers of this machine that were killed."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    begun = {key for key, value in study.user_attrs.items() if key.startswith(WORKER) and value}
    names = {key.removeprefix(f"{WORKER}_") for key in begun} - {worker}
    dead = {name for name in names if _is_dead(name)}
    if not dead:
        return
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        # One that was just begun names nobody yet: it may be of anybody who lives.
        of = trial.user_attrs.get(WORKER)
        if of in dead or (of is None and names == dead):
            with contextlib.suppress(UpdateFinishedTrialError):  # by another worker meanwhile
                study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    for name in dead:
        study.set_user_attr(f"{WORKER}_{name}", False)
        _remove(_file(name))


def draw_of(trial: optuna.trial.FrozenTrial, trials: list[optuna.trial.FrozenTrial]) -> int:
    """Return the number by which the values of a trial are drawn.

    It is what its number would be, had nothing been killed.
    """
    if (kept := trial.user_attrs.get(DRAW)) is not None:
        return int(kept)
    repeats = [other for other in trials if DRAW in other.user_attrs]
    return trial.number - sum(other.number < trial.number for other in repeats)


def _is_dead(worker: str) -> bool:
    """Whether a worker of this machine let go of its lock without having removed the file."""
    from filelock import lock_descriptor

    if not re.fullmatch("[0-9a-f]{32}", worker):  # of a former version, or not of ours
        return False
    try:
        descriptor = os.open(_file(worker), os.O_RDWR)
    except OSError:  # of another machine or user, or ended as it should
        return False
    try:
        return bool(lock_descriptor(descriptor, blocking=False))
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _file(worker: str) -> Path:
    return Path(tempfile.gettempdir()) / f"tumorscope-worker-{worker}.lock"


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
