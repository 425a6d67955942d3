"""Which parameters mattered, by importance."""

from __future__ import annotations

import pytest

pytest.importorskip("optuna", reason="needs the tune extra")

import optuna

from tumorscope.experiments.search.report import importances_of


def test_importances_sum_to_one_and_find_what_matters() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

    def loss(trial: optuna.Trial) -> float:
        trial.suggest_float("idle", 0, 1)
        return (trial.suggest_float("matters", 0, 1) - 0.3) ** 2

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study.optimize(loss, n_trials=30)
    found = importances_of(study)
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["matters"] > 0.8
    assert importances_of(optuna.create_study()) == {}
