"""Backbones that ``keras.applications`` has, without their top and their own input scaling."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tumorscope.networks.backbones.registry import register

if TYPE_CHECKING:
    import keras


@register(
    title="MobileNetV2",
    citation="Sandler et al. 2018, arXiv:1801.04381",
    scaling="symmetric",
    cut="block_13_expand",
)
def mobilenet_v2(size: int) -> keras.Model:
    """MobileNetV2 1.0, 2,257,984 parameters."""
    return _bare("MobileNetV2", size, name=f"mobilenetv2_1.00_{size}")


@register(
    title="MobileNetV3-Large",
    citation="Howard et al. 2019, arXiv:1905.02244",
    scaling="symmetric",
    cut="expanded_conv_12_expand",
)
def mobilenet_v3_large(size: int) -> keras.Model:
    """MobileNetV3-Large 1.0, 2,996,352 parameters."""
    # Scaling happens outside, where the recipe and the model file know of it.
    return _bare("MobileNetV3Large", size, name="mobilenet_v3_large", include_preprocessing=False)


@register(
    title="EfficientNetV2-B0",
    citation="Tan & Le 2021, arXiv:2104.00298",
    cut="block6a_expand_conv",
)
def efficientnet_v2_b0(size: int) -> keras.Model:
    """EfficientNetV2-B0, 5,919,312 parameters."""
    return _bare("EfficientNetV2B0", size, name="efficientnetv2-b0", include_preprocessing=False)


@register(
    title="VGG16",
    citation="Simonyan & Zisserman 2014, arXiv:1409.1556",
    scaling="caffe",
    cut="block5_conv1",
)
def vgg16(size: int) -> keras.Model:
    """VGG16 without its three dense layers, 14,714,688 parameters."""
    return _bare("VGG16", size, name="vgg16")


@register(
    title="ResNet-50",
    citation="He et al. 2015, arXiv:1512.03385",
    scaling="caffe",
    cut="conv5_block1_1_conv",
)
def resnet50(size: int) -> keras.Model:
    """ResNet-50, 23,587,712 parameters."""
    return _bare("ResNet50", size, name="resnet50")


@register(
    title="DenseNet-201",
    citation="Huang et al. 2016, arXiv:1608.06993",
    cut="conv5_block1_0_bn",
    parts=("conv3_block12_concat", "conv4_block48_concat", "relu"),
)
def densenet201(size: int) -> keras.Model:
    """DenseNet-201, 18,321,984 parameters."""
    return _bare("DenseNet201", size, name="densenet201")


@register(
    title="Inception-v3",
    citation="Szegedy et al. 2015, arXiv:1512.00567",
    size=299,
    smallest=75,
    scaling="symmetric",
    # The first convolution behind mixed8, from which the last two modules start.
    cut="conv2d_76",
    parts=("mixed2", "mixed7", "mixed10"),
)
def inception_v3(size: int) -> keras.Model:
    """Inception-v3, 21,802,784 parameters."""
    return _renumbered(_bare("InceptionV3", size, name="inception_v3"))


def _bare(network: str, size: int, *, name: str, **options: object) -> keras.Model:
    """Return a network of ``keras.applications`` with random weights, and without its top."""
    import keras

    return getattr(keras.applications, network)(
        input_shape=(size, size, 3), include_top=False, weights=None, name=name, **options
    )


def _renumbered(model: keras.Model) -> keras.Model:
    """Return the same network with its unnamed layers counted from the image.

    Keras counts them from the start of the process, so that a recipe could not name one.
    """
    import keras

    counted: dict[str, list[int]] = {}
    for layer in model.layers:
        if match := re.fullmatch(rf"({_kind(layer)})(?:_(\d+))?", layer.name):
            counted.setdefault(match[1], []).append(int(match[2] or 0))
    renamed = {
        kind if not number else f"{kind}_{number}": kind if not place else f"{kind}_{place}"
        for kind, numbers in counted.items()
        for place, number in enumerate(sorted(numbers))
    }

    def rename(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        config["name"] = renamed.get(layer.name, layer.name)
        return layer.__class__.from_config(config)

    return keras.models.clone_model(model, clone_function=rename)


def _kind(layer: keras.Layer) -> str:
    """Return what Keras names a layer of this class by default."""
    words: str = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", type(layer).__name__)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
