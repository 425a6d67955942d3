"""Studies: several workers, failed beginnings, databases that cannot be used."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="needs the tune extra")

import optuna

from tumorscope.common.errors import InputError
from tumorscope.experiments.search import storage as studies
from tumorscope.experiments.search.storage import (
    IDENTITY,
    PROTOCOL,
    database,
    finished,
    open_studies,
    run_trials,
)
from tumorscope.recipes.origin import Weights
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.protocol import Cohort, Protocol


def _search(name: str) -> Protocol:
    return Protocol(
        recipe=Recipe.load("paper"),
        weights=(Weights(kind="none"),),
        data=Cohort(sha256=name, content=name),
    )


def _open(path: Path, *names: str, of: str = "a", seed: int = 0) -> dict[str, optuna.Study]:
    return open_studies(
        f"sqlite:///{path}",
        names or ("final",),
        protocol=_search(of),
        older="older",
        objective="auc",
        seed=seed,
    )


def _loss(trial: optuna.Trial) -> float:
    return trial.suggest_float("x", 0, 1) + trial.suggest_float("y", 0, 1)


def _drawn(study: optuna.Study) -> list[dict[str, float]]:
    return [trial.params for trial in study.trials]


def _run(study: optuna.Study, trials: int) -> None:
    run_trials(study, _loss, trials=trials, timeout=None, label="Search")


def test_workers_never_draw_what_another_drew(tmp_path: Path) -> None:
    # Past the ten random ones with which TPE begins.
    for trials in (3, 6, 9, 15):
        _run(_open(tmp_path / "many.db")["final"], trials)
    _run(_open(tmp_path / "one.db")["final"], 15)
    many, one = (_drawn(_open(tmp_path / f"{name}.db")["final"]) for name in ("many", "one"))
    assert many == one
    assert len({params["x"] for params in one}) == 15


def test_seeds_and_studies_draw_apart(tmp_path: Path) -> None:
    pair = _open(tmp_path / "a.db", "outer-0", "final")
    other = _open(tmp_path / "b.db", seed=1)
    for study in (*pair.values(), *other.values()):
        _run(study, 1)
    firsts = [_drawn(study)[0]["x"] for study in (*pair.values(), *other.values())]
    assert len(set(firsts)) == 3


def test_a_search_of_which_nothing_ran_gives_way(tmp_path: Path) -> None:
    def fails(_: optuna.Trial) -> float:
        raise InputError("as where the weights do not fit")

    study = _open(tmp_path / "a.db", "outer-0", "final")["outer-0"]
    with pytest.raises(InputError):
        run_trials(study, fails, trials=1, timeout=None, label="Search")
    fresh = _open(tmp_path / "a.db", of="b")
    assert not fresh["final"].trials
    _run(fresh["final"], 1)
    with pytest.raises(InputError, match="another recipe, cohort, protocol"):
        _open(tmp_path / "a.db", of="a")


def test_a_search_of_an_older_version_goes_on(tmp_path: Path) -> None:
    study = _open(tmp_path / "a.db")["final"]
    _run(study, 1)
    study.set_user_attr(IDENTITY, "older")
    again = _open(tmp_path / "a.db")["final"]
    assert finished(again) == 1
    assert again.user_attrs[IDENTITY] == _search("a").key
    study.set_user_attr(IDENTITY, "another")
    study.set_user_attr(PROTOCOL, "")  # which older versions did not write
    with pytest.raises(InputError, match="another recipe, cohort, protocol"):
        _open(tmp_path / "a.db")


def test_workers_that_begin_at_once_share_one_new_database(tmp_path: Path) -> None:
    at_once = threading.Barrier(6)

    def begin(_: int) -> set[str]:
        at_once.wait()
        return set(_open(tmp_path / "a.db", "outer-0", "outer-1", "final"))

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(begin, range(6))) == [{"outer-0", "outer-1", "final"}] * 6
    assert len(_open(tmp_path / "a.db")) == 1


def test_a_record_that_says_the_same_is_the_same_search_whatever_its_key(tmp_path: Path) -> None:
    study = _open(tmp_path / "a.db")["final"]
    _run(study, 1)
    study.set_user_attr(IDENTITY, "as a version with fewer settings would write it")
    assert finished(_open(tmp_path / "a.db")["final"]) == 1


def test_studies_of_others_in_the_database_stay(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    theirs = optuna.create_study(storage=url, study_name="somebody-else")
    theirs.optimize(_loss, n_trials=1)
    _run(_open(tmp_path / "a.db")["final"], 1)
    assert len(optuna.load_study(study_name="somebody-else", storage=url).trials) == 1


def test_what_was_pruned_is_pruned_again(tmp_path: Path) -> None:
    study = _open(tmp_path / "a.db")["final"]
    worth = {"good": 0.1, "bad": 9.0}
    judged = []

    def judge(trial: optuna.Trial) -> float:
        choice = trial.suggest_categorical("choice", list(worth))
        known = studies.known_loss(trial)
        if known is not None:
            return known
        judged.append(choice)
        trial.report(worth[choice], 0)
        if choice == "bad":
            raise optuna.TrialPruned
        return worth[choice]

    for choice in ("good", "bad", "good", "bad"):
        study.enqueue_trial({"choice": choice})
    run_trials(study, judge, trials=4, timeout=None, label="Search")
    assert judged == ["good", "bad"]
    assert [trial.value for trial in study.trials] == [0.1, 9.0, 0.1, 9.0]
    assert [trial.user_attrs.get(studies.SAME_AS) for trial in study.trials] == [None, None, 0, 1]
    assert finished(study, complete=True) == 2


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(InputError, match=r"Cannot use the storage sqlite:.*a\.db"):
        _open(tmp_path / "a.db")
    assert (tmp_path / "a.db").read_bytes().startswith(b"this is no")


def test_a_locked_database_ends_a_search_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studies, "PATIENCE", 0.1)
    study = _open(tmp_path / "a.db")["final"]
    lock = sqlite3.connect(tmp_path / "a.db")
    lock.execute("BEGIN EXCLUSIVE")
    try:
        url = f"sqlite:///{tmp_path / 'a.db'}"
        with pytest.raises(InputError, match="nothing else locks it"), database(url):
            _run(study, 1)
    finally:
        lock.close()
    _run(study, 1)
    assert finished(study) == 1


def test_passwords_are_not_shown() -> None:
    with pytest.raises(InputError) as caught:
        open_studies(
            "nothing://ada:secret@host/name",
            ["final"],
            protocol=_search("a"),
            objective="auc",
            seed=0,
        )
    assert "secret" not in str(caught.value)
    assert "nothing://ada:***@host/name" in str(caught.value)
