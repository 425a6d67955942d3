"""Costs: counted to the digit, timed at all, and by the engine that the row names."""

from __future__ import annotations

import pytest

from tumorscope.experiments.comparison import measure as module
from tumorscope.networks.onnx_graph import UnsupportedLayerError
from tumorscope.networks.systems import lookup
from tumorscope.recipes.recipe import Recipe

pytestmark = pytest.mark.usefixtures("eager")


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.0)


def test_a_network_is_counted_with_its_head(quick: Recipe) -> None:
    cost = module.measure(lookup("small_cnn"), quick)
    # 53,008 in the backbone; 64 → 8 → normalisation of 8 → 1.
    assert cost.parameters == 53_008 + (64 * 8 + 8) + 4 * 8 + 9
    assert cost.gmac == pytest.approx(0.000525832)
    assert (cost.input_px, cost.latency_engine) == ("32", "ONNX Runtime")
    assert cost.latency_ms > 0
    assert cost.frozen_images_per_s > 0
    assert cost.tuning_images_per_s is not None
    assert cost.tuning_images_per_s > 0


def test_frozen_features_are_counted_with_a_linear_classifier(quick: Recipe) -> None:
    cost = module.measure(lookup("resnet18-svm"), quick)
    assert cost.parameters == 11_186_112 + 513
    assert cost.tuning_images_per_s is None
    assert set(cost.to_json()) == set(module.Cost.__dataclass_fields__)


def test_a_network_without_translation_is_timed_in_keras(
    quick: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise UnsupportedLayerError("odd")

    monkeypatch.setattr(module, "model_graph", refuse)
    assert module.measure(lookup("small_cnn"), quick).latency_engine == "Keras"
