"""Trials that were killed, interrupted or failed: which are run again, and with which values."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="needs the tune extra")

import optuna
from tests.experiments.search.test_storage import _drawn, _loss, _open, _run

from tumorscope.common.errors import InputError
from tumorscope.experiments.search.killed import WORKER, living, repeat_what_was_killed
from tumorscope.experiments.search.storage import finished, run_trials

TRIALS = 13

KILLED_IN_THE_TWELFTH = """
import os, signal, sys
from tests.experiments.search.test_storage import _loss, _open
from tumorscope.experiments.search.sampler import NumberedSampler
from tumorscope.experiments.search.storage import finished, run_trials

def kill(study):
    if finished(study) == 11:
        os.kill(os.getpid(), signal.SIGKILL)

def judge(trial):
    loss = _loss(trial)
    kill(trial.study)
    return loss

if sys.argv[2] == "before it is judged":
    before = NumberedSampler.before_trial
    def killed(self, study, trial):
        kill(study)
        before(self, study, trial)
    NumberedSampler.before_trial = killed
run_trials(_open(sys.argv[1])["final"], judge, trials=13, timeout=None, label="Search")
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, float]]:
    """What a search draws that nobody disturbs; past the ten random ones with which TPE begins."""
    study = _open(tmp_path_factory.mktemp("whole") / "a.db")["final"]
    _run(study, TRIALS)
    return _drawn(study)


def _ended(study: optuna.Study) -> list[dict[str, float]]:
    return [trial.params for trial in study.trials if trial.state.name == "COMPLETE"]


@pytest.mark.skipif(sys.platform == "win32", reason="knows no SIGKILL")
@pytest.mark.parametrize("place", ["while it is judged", "before it is judged"])
def test_a_killed_search_draws_what_it_would_have_drawn(
    tmp_path: Path, whole: list[dict[str, float]], place: str
) -> None:
    # In a process of its own, as the kernel frees the lock of that.
    words = [sys.executable, "-c", KILLED_IN_THE_TWELFTH, str(tmp_path / "killed.db"), place]
    assert subprocess.run(words, check=False, capture_output=True).returncode == -9
    study = _open(tmp_path / "killed.db")["final"]
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 11 + ["RUNNING"]
    _run(study, TRIALS)
    assert _ended(study) == whole
    assert [trial.state.name for trial in study.trials].count("FAIL") == 1


def test_an_interrupted_trial_is_run_again_though_it_is_interrupted_twice(
    tmp_path: Path, whole: list[dict[str, float]]
) -> None:
    study = _open(tmp_path / "a.db")["final"]

    def interrupted(trial: optuna.Trial) -> float:
        trial.suggest_float("x", 0, 1)
        raise KeyboardInterrupt

    _run(study, 3)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run_trials(study, interrupted, trials=4, timeout=None, label="Search")
    _run(study, TRIALS)
    assert _ended(study) == whole
    assert len(study.trials) == TRIALS + 2


def test_a_trial_that_fails_is_not_run_again(tmp_path: Path, whole: list[dict[str, float]]) -> None:
    study = _open(tmp_path / "a.db")["final"]

    def fails(trial: optuna.Trial) -> float:
        _loss(trial)
        raise InputError("as where there is no room for so many")

    _run(study, 3)
    with pytest.raises(InputError):
        run_trials(study, fails, trials=4, timeout=None, label="Search")
    _run(study, 5)
    assert _ended(study) == [*whole[:3], *whole[4:6]]


def test_a_worker_that_lives_keeps_its_trial(tmp_path: Path) -> None:
    study = _open(tmp_path / "a.db")["final"]
    with living(study) as worker, living(study) as other:

        def judge(trial: optuna.Trial) -> float:
            repeat_what_was_killed(study, other)  # as it has just begun
            trial.set_user_attr(WORKER, worker)
            repeat_what_was_killed(study, other)
            return _loss(trial)

        study.optimize(judge, n_trials=1)
    assert finished(study) == len(study.trials) == 1
    assert not list(Path(tempfile.gettempdir()).glob(f"*{worker}*"))


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "0" * 32, "é" * 32])
def test_nothing_follows_from_names_of_workers_that_are_not_here(tmp_path: Path, name: str) -> None:
    study = _open(tmp_path / "a.db")["final"]
    study.set_user_attr(f"{WORKER}_{name}", True)

    def judge(trial: optuna.Trial) -> float:
        trial.set_user_attr(WORKER, name)
        repeat_what_was_killed(study, "1" * 32)
        return _loss(trial)

    study.optimize(judge, n_trials=1)
    assert finished(study) == 1
