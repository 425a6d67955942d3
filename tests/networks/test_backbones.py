"""Backbones: as large and as costly as published, fed with what their weights expect."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tumorscope.common.errors import InputError
from tumorscope.networks import onnx_graph
from tumorscope.networks.backbones import applications, build_backbone, lookup, names
from tumorscope.networks.cost import layer_macs
from tumorscope.networks.halves import entrances
from tumorscope.networks.imagenet import IMAGENET
from tumorscope.networks.scaling import SCALINGS, network_input

# Parameters and multiply-accumulates (10⁹) of the whole classifiers as published, and the
# parameters and multiply-accumulates of the tops that they have and we leave out.
PUBLISHED = {
    "alexnet": (61_100_840, 0.71, (9217 * 4096 + 4097 * 4096 + 4097 * 1000)),
    "densenet201": (20_242_984, 4.3, 1921 * 1000),
    "efficientnet_v2_b0": (7_200_312, 0.72, 1281 * 1000),
    "inception_v3": (23_851_784, 5.7, 2049 * 1000),
    "mobilenet_v2": (3_538_984, 0.30, 1281 * 1000),
    # Keras' own count, 5,507,432, lies above the 5.4 M of the paper.
    "mobilenet_v3_large": (5_507_432, 0.22, 961 * 1280 + 1281 * 1000),
    "resnet18": (11_689_512 + 9_600, 1.8, 513 * 1000),
    "resnet50": (25_636_712, 3.9, 2049 * 1000),
    "vgg16": (138_357_544, 15.5, (25089 * 4096 + 4097 * 4096 + 4097 * 1000)),
}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_parameters_and_arithmetic_are_the_published_ones(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    before: list[keras.Model] = []
    renumbered = applications._renumbered

    def noted(model: keras.Model) -> keras.Model:
        before.append(model)
        return renumbered(model)

    monkeypatch.setattr(applications, "_renumbered", noted)
    parameters, gmac, top = PUBLISHED[name]
    known = lookup(name)
    backbone = build_backbone(name, known.size)
    assert backbone.count_params() + top == parameters
    assert (layer_macs(backbone) + top) / 1e9 == pytest.approx(gmac, rel=0.03)
    assert len(entrances(backbone_with_head(backbone), from_layer=known.cut)) == 1
    for layer in known.parts:
        assert len(backbone.get_layer(layer).output.shape) == 4
    kinds = {type(layer).__name__ for layer in backbone.layers} - {"InputLayer"}
    assert kinds <= set(onnx_graph._TRANSLATIONS)
    for original in before:
        # Weights files are read in the order of the layers, which new names must not change.
        assert shapes(backbone) == shapes(original)
        assert {"conv2d", "conv2d_93", "mixed10"} <= {layer.name for layer in backbone.layers}


def shapes(model: Any) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for layer in model.layers for weight in layer.weights]


def backbone_with_head(backbone: Any) -> Any:
    import keras

    return keras.Sequential([backbone, keras.layers.GlobalAveragePooling2D()])


def test_the_registry_is_whole() -> None:
    assert set(names()) == {*PUBLISHED, "small_cnn"}
    assert set(names()) - set(IMAGENET) == {"alexnet", "resnet18", "small_cnn"}
    assert lookup("inception_v3").size_for(224) == 299
    assert lookup("inception_v3").size_for(32) == 75
    assert lookup("vgg16").size_for(160) == 160


def test_weights_files_and_hashes_are_those_of_keras() -> None:
    from keras.src.applications import (
        densenet,
        efficientnet_v2,
        inception_v3,
        mobilenet_v3,
        resnet,
        vgg16,
    )

    assert IMAGENET["resnet50"][1] == resnet.WEIGHTS_HASHES["resnet50"][1]
    assert IMAGENET["efficientnet_v2_b0"][1] == efficientnet_v2.WEIGHTS_HASHES["b0"][1]
    large = mobilenet_v3.WEIGHTS_HASHES["large_224_1.0_float"][1]
    assert IMAGENET["mobilenet_v3_large"][1] == large
    assert densenet.DENSENET201_WEIGHT_PATH_NO_TOP.endswith("/" + IMAGENET["densenet201"][0])
    assert vgg16.WEIGHTS_PATH_NO_TOP.endswith("/" + IMAGENET["vgg16"][0])
    assert inception_v3.WEIGHTS_PATH_NO_TOP.endswith("/" + IMAGENET["inception_v3"][0])


@pytest.mark.parametrize(
    ("scaling", "mode"), [("symmetric", "tf"), ("imagenet", "torch"), ("caffe", "caffe")]
)
def test_scalings_are_what_keras_calls_preprocessing(scaling: str, mode: str) -> None:
    from keras.src.applications import imagenet_utils

    grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    colour = np.repeat(grey[..., None], 3, axis=-1).astype(np.float32)
    expected = imagenet_utils.preprocess_input(colour, data_format="channels_last", mode=mode)
    np.testing.assert_allclose(network_input(grey, scaling), expected, rtol=1e-5, atol=1e-4)
    assert scaling in SCALINGS


def test_a_size_that_is_too_small_is_refused() -> None:
    with pytest.raises(InputError, match="at least 75 px"):
        build_backbone("inception_v3", 64)
