"""What the gate lets pass, and how images are divided for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.common.errors import InputError
from tumorscope.conversion.parity import (
    Limits,
    calibration_and_holdout,
    check_answered,
    compare,
    images_to_prove,
    proof,
    too_many,
    violations,
)
from tumorscope.detection.engines import Outputs
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.statistics import wilson

LABELS = np.arange(200) % 2


def outputs(logit: np.ndarray) -> Outputs:
    logit = logit.astype(np.float32)
    probability = (1 / (1 + np.exp(-logit))).astype(np.float32)
    evidence = np.repeat(logit[:, None, None] / 4, 2, axis=1).repeat(2, axis=2)
    zero = np.zeros_like(logit)
    return Outputs(probability, logit, evidence, zero, zero)


@pytest.fixture
def before() -> Outputs:
    rng = np.random.default_rng(0)
    return outputs(rng.normal(4 * LABELS - 2, 2))


def said(before: Outputs, after: Outputs, model: ModelFile, limits: Limits | None = None) -> str:
    found = compare(before, after, labels=LABELS, metadata=model.metadata)
    return "; ".join(violations(found, limits or Limits()))


def test_the_same_passes(before: Outputs, small_models: dict[str, ModelFile]) -> None:
    assert said(before, before, small_models["pooled"]) == ""


def test_each_limit_objects_in_words(before: Outputs, small_models: dict[str, ModelFile]) -> None:
    model = small_models["pooled"]
    rng = np.random.default_rng(1)
    assert "AUC falls" in said(before, outputs(before.logit + rng.normal(0, 3, 200)), model)
    assert "decisions change" in said(before, outputs(before.logit + 1.0), model)
    assert "evidence misses" in said(before, replace(before, bias=before.bias + 0.01), model)
    near = Limits(probability=1e-4)
    assert "a probability differs" in said(before, outputs(before.logit + 1e-2), model, near)
    broken = replace(before, distance=np.full_like(before.distance, np.nan))
    assert "finite" in said(before, broken, model)
    far = replace(before, distance=np.full_like(before.distance, 99.0))
    assert "200 of 200 decisions change" in said(before, far, model)


def test_images_that_the_original_refuses_show_nothing(
    before: Outputs, small_models: dict[str, ModelFile]
) -> None:
    """Blank pictures with labels once let a network pass that had lost its sense."""
    metadata, few = small_models["pooled"].metadata, np.arange(200) >= 3
    far = replace(before, distance=np.where(few, 99.0, 0.0).astype(np.float32))
    with pytest.raises(InputError, match=r"Received 3 images .* that the model does not refuse"):
        check_answered(LABELS, far, metadata)
    with pytest.raises(InputError, match="Received 3 images"):
        check_answered(LABELS, before, metadata, few)
    check_answered(LABELS, before, metadata, np.arange(200) >= 4)


def test_refused_images_do_not_dilute_what_changes(
    before: Outputs, small_models: dict[str, ModelFile]
) -> None:
    """Two of twenty decisions once passed as two of two hundred."""
    metadata = small_models["pooled"].metadata
    far = np.where(np.arange(200) < 20, 0.0, 99.0).astype(np.float32)
    logit = before.logit.copy()
    logit[:3] *= -1
    mostly, changed = replace(before, distance=far), replace(outputs(logit), distance=far)
    found = compare(mostly, changed, labels=LABELS, metadata=metadata)
    assert found.metrics is not None
    assert (found.n, found.metrics.decisions) == (200, 20)
    assert "2 of 20 decisions change" in "; ".join(violations(found, Limits()))
    assert "20 images (of 200; the others are refused" in proof(found, Limits())
    early = compare(before, outputs(logit), labels=LABELS, metadata=metadata, refused=far > 0)
    assert early.metrics is not None
    assert (early.metrics.decisions, early.metrics.changed_decisions) == (20, 2)
    assert early.metrics.auc_before == found.metrics.auc_before


def test_one_change_in_a_hundred_is_the_most(
    before: Outputs, small_models: dict[str, ModelFile]
) -> None:
    for changed, passes in ((2, True), (3, False)):
        logit = before.logit.copy()
        surest = np.argsort(np.abs(logit))[-changed:]
        # Both classes alike, so that the AUC hardly falls before decisions do.
        logit[surest] *= -1
        words = said(before, outputs(logit), small_models["pooled"], Limits(auc_fall=1.0))
        assert (words == "") is passes


@pytest.mark.parametrize(
    ("changed", "n", "refused"),
    [
        (0, 4, False),
        (1, 10, True),
        (1, 98, False),
        (2, 98, True),
        (1, 100, False),
        (11, 1000, True),
    ],
)
def test_one_change_of_few_images_proves_nothing(changed: int, n: int, refused: bool) -> None:
    assert too_many(changed, n, 0.01) is refused


@given(changed=st.integers(0, 30), most=st.sampled_from((0.005, 0.01, 0.05)))
def test_so_many_images_are_enough_and_one_less_is_not(changed: int, most: float) -> None:
    n = images_to_prove(changed, most)
    assert wilson(changed, n).high <= most < wilson(changed, n - 1).high
    assert not too_many(changed, n, most)


def test_it_is_said_what_the_images_show(
    before: Outputs, small_models: dict[str, ModelFile]
) -> None:
    found = compare(before, before, labels=LABELS, metadata=small_models["pooled"].metadata)
    words = proof(found, Limits())
    assert "not shown by 200 images, of which 0 changed" in words
    assert "it would take 381." in words
    assert proof(found, Limits(changed_decisions=0.05)).endswith("is shown by 200 images.")
    broken = replace(before, logit=np.full_like(before.logit, np.inf))
    lost = compare(before, broken, labels=LABELS, metadata=small_models["pooled"].metadata)
    assert proof(lost, Limits()) == ""


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 1)), min_size=40, max_size=120))
def test_groups_are_never_divided(rows: list[tuple[int, int]]) -> None:
    labels = np.array([(group % 2) for group, _ in rows])
    groups = np.array([str(group) for group, _ in rows])
    try:
        calibration, holdout = calibration_and_holdout(labels, groups)
    except InputError:
        assert min(len(set(groups[labels == label].tolist())) for label in (0, 1)) < 8
        return
    assert sorted([*calibration, *holdout]) == list(range(len(rows)))
    assert not set(groups[calibration]) & set(groups[holdout])
    assert len(calibration) <= len(rows) / 2
    assert set(labels[holdout]) == {0, 1}


def test_what_is_written_down_has_the_names_of_the_first_version(
    before: Outputs, small_models: dict[str, ModelFile]
) -> None:
    metadata = small_models["pooled"].metadata
    known = compare(before, before, labels=LABELS, metadata=metadata).to_json()
    broken = replace(before, logit=np.full_like(before.logit, np.inf))
    lost = compare(before, broken, labels=LABELS, metadata=metadata).to_json()
    assert (
        list(known)
        == list(lost)
        == [
            "n",
            "n_positive",
            "finite",
            "max_difference",
            "mean_difference",
            "auc_before",
            "auc_after",
            "flips",
            "flips_at_most",
            "evidence_error",
            "decisions",
        ]
    )
    assert (known["finite"], known["flips"]) == (True, 0)
    assert (lost["finite"], lost["flips"], lost["n"]) == (False, None, 200)
