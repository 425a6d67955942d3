"""Sources are measured with a threshold that they had no part in."""

from __future__ import annotations

import numpy as np
import pytest
from packaged_model.leave_source_out import both_labels, measure_left_out

from tumorscope.common.errors import InputError
from tumorscope.statistics.estimate import Undefined


def cohort() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Two mixed sources, the second scored 0.3 higher, and one without tumours."""
    labels = np.array([0, 1] * 30 + [0, 1] * 30 + [0] * 20)
    sources = np.array(["a"] * 60 + ["b"] * 60 + ["c"] * 20)
    scores = np.where(labels == 1, 0.5, 0.2) + np.where(sources == "b", 0.31, 0.0)
    scores = scores + np.random.default_rng(0).uniform(-0.05, 0.05, len(scores))
    return labels, scores, np.arange(len(labels)).astype(str), sources


def test_each_source_gets_the_threshold_of_the_others() -> None:
    labels, scores, groups, sources = cohort()
    assert both_labels(labels, sources) == ["a", "b"]
    found = measure_left_out(labels, scores, groups, sources)
    assert list(found) == ["a", "b", "c"]
    # Ranked perfectly, but b's threshold calls nothing in a a tumour, and a's everything in b.
    assert found["a"].metrics["auc"].value == found["b"].metrics["auc"].value == 1.0
    assert found["a"].metrics["sensitivity"].value == 0.0
    assert found["b"].metrics["specificity"].value == 0.0
    assert found["c"].metrics["specificity"].value == 1.0
    assert isinstance(found["c"].metrics["auc"], Undefined)


def test_one_mixed_source_cannot_choose_its_own_threshold() -> None:
    labels, scores, groups, sources = cohort()
    kept = sources != "b"
    with pytest.raises(InputError, match="No source but a has images of both labels"):
        measure_left_out(labels[kept], scores[kept], groups[kept], sources[kept])
