"""The network: the paper's Figure 2 to the digit."""

from __future__ import annotations

import pytest

from tumorscope.common.errors import InputError
from tumorscope.networks.backbones import build_backbone, names
from tumorscope.networks.network import build, summarise
from tumorscope.recipes.recipe import Recipe

# Each network runs once: to trace it takes many times as long.
pytestmark = pytest.mark.usefixtures("eager")


def test_the_paper_figure_2() -> None:
    layers = summarise(build(Recipe.load("paper")))
    assert [(each.layer, each.output_shape, each.parameters) for each in layers] == [
        ("mobilenetv2_1.00_224 (Functional)", "(None, 7, 7, 1280)", 2_257_984),
        ("flatten (Flatten)", "(None, 62720)", 0),
        ("dense (Dense)", "(None, 128)", 8_028_288),
        ("batch_normalization (BatchNormalization)", "(None, 128)", 512),
        ("dropout (Dropout)", "(None, 128)", 0),
        ("dense_1 (Dense)", "(None, 1)", 129),
    ]


def test_backbones_build_and_an_unknown_one_is_named() -> None:
    for name in ("mobilenet_v2", "small_cnn"):  # the others: test_backbones.py
        assert name in names()
        assert build_backbone(name, 64).output_shape[0] is None
    with pytest.raises(InputError, match="small_cnn"):
        build_backbone("resnet_9000", 64)
