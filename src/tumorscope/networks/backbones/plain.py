"""Backbones that ``keras.applications`` does not have, as plain Keras functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tumorscope.networks.backbones.registry import register

if TYPE_CHECKING:
    import keras


@register(
    title="AlexNet",
    citation="Krizhevsky et al. 2012; widths of Krizhevsky 2014, arXiv:1404.5997",
    smallest=63,
    cut="conv4",
)
def alexnet(size: int) -> keras.Model:
    """AlexNet's five convolutions, 2,469,696 parameters.

    The widths are those of the version for one processor, which is the one that is passed around.
    Its three dense layers for 1000 classes, 58.6 M parameters, are left out like every top here.
    """
    import keras

    layers = keras.layers
    image = keras.Input((size, size, 3))
    tensor = layers.ZeroPadding2D(2, name="conv1_pad")(image)
    tensor = layers.Conv2D(64, 11, strides=4, activation="relu", name="conv1")(tensor)
    tensor = layers.MaxPooling2D(3, strides=2, name="pool1")(tensor)
    tensor = layers.Conv2D(192, 5, padding="same", activation="relu", name="conv2")(tensor)
    tensor = layers.MaxPooling2D(3, strides=2, name="pool2")(tensor)
    for index, filters in ((3, 384), (4, 256), (5, 256)):
        tensor = layers.Conv2D(
            filters, 3, padding="same", activation="relu", name=f"conv{index}"
        )(tensor)  # fmt: skip
    tensor = layers.MaxPooling2D(3, strides=2, name="pool5")(tensor)
    return keras.Model(image, tensor, name="alexnet")


@register(
    title="ResNet-18",
    citation="He et al. 2015, arXiv:1512.03385",
    # What both ways through the last stage start from.
    cut="conv5_block1_1_pad",
)
def resnet18(size: int) -> keras.Model:
    """ResNet-18, 11,186,112 parameters, 9,600 of which batch normalisation counts."""
    import keras

    layers = keras.layers
    image = keras.Input((size, size, 3))
    tensor = layers.ZeroPadding2D(3, name="conv1_pad")(image)
    tensor = layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv")(tensor)
    tensor = layers.BatchNormalization(epsilon=1e-5, name="conv1_bn")(tensor)
    tensor = layers.ReLU(name="conv1_relu")(tensor)
    tensor = layers.ZeroPadding2D(1, name="pool1_pad")(tensor)
    tensor = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(tensor)
    for stage, filters in ((2, 64), (3, 128), (4, 256), (5, 512)):
        for block in (1, 2):
            stride = 2 if stage > 2 and block == 1 else 1
            tensor = _basic_block(tensor, filters, stride, f"conv{stage}_block{block}")
    return keras.Model(image, tensor, name="resnet18")


def _basic_block(
    tensor: keras.KerasTensor, filters: int, stride: int, name: str
) -> keras.KerasTensor:
    import keras

    layers = keras.layers
    shortcut = tensor
    for index, step in ((1, stride), (2, 1)):
        tensor = layers.ZeroPadding2D(1, name=f"{name}_{index}_pad")(tensor)
        tensor = layers.Conv2D(
            filters, 3, strides=step, use_bias=False, name=f"{name}_{index}_conv"
        )(tensor)
        tensor = layers.BatchNormalization(epsilon=1e-5, name=f"{name}_{index}_bn")(tensor)
        if index == 1:
            tensor = layers.ReLU(name=f"{name}_1_relu")(tensor)
    if stride > 1:
        shortcut = layers.Conv2D(
            filters, 1, strides=stride, use_bias=False, name=f"{name}_0_conv"
        )(shortcut)  # fmt: skip
        shortcut = layers.BatchNormalization(epsilon=1e-5, name=f"{name}_0_bn")(shortcut)
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([shortcut, tensor]))


@register(title="Small CNN", citation="ours", scaling="unit", cut="conv_3")
def small_cnn(size: int) -> keras.Model:
    """Five convolutions with batch normalisation: learns from scratch in a minute on a CPU."""
    import keras

    image = keras.Input((size, size, 3))
    tensor = image
    for index, filters in enumerate((16, 24, 32, 48, 64)):
        tensor = keras.layers.Conv2D(
            filters, 3, strides=2, padding="same", use_bias=False, name=f"conv_{index}"
        )(tensor)
        tensor = keras.layers.BatchNormalization(momentum=0.9, name=f"bn_{index}")(tensor)
        tensor = keras.layers.ReLU(name=f"relu_{index}")(tensor)
    return keras.Model(image, tensor, name="small_cnn")
