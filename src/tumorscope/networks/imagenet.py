"""The ImageNet weights that Keras publishes: where they lie, by what hash, and how to get them."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from tumorscope.common.errors import InputError, UsageError
from tumorscope.networks.weights_of_model_file import MRI, packaged_backbone

BASE_URL = "https://storage.googleapis.com/tensorflow/keras-applications/"
"""Where ``keras.applications`` keeps its weights (Apache-2.0)."""

# Convolutions do not depend on the image size, so the weights of 224 px serve every size.
IMAGENET = {
    "densenet201": (
        "densenet201_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "c13680b51ded0fb44dff2d8f86ac8bb1",
    ),
    "efficientnet_v2_b0": ("efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"),
    "inception_v3": (
        "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "bcbd6486424b2319ff4ef7d526e38f63",
    ),
    "mobilenet_v2": (
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        "102a691e175c0747a9da59affe8b7bce915f9a814111257bf65163730a50e1c6",
    ),
    "mobilenet_v3_large": (
        "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        "07fb09a5933dd0c8eaafa16978110389",
    ),
    "resnet50": (
        "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "4d473c1dd8becc155b73f8504c6f6626",
    ),
    "vgg16": (
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "6d6bbae143d832006294945121d1f1fc",
    ),
}
"""Backbone → file name and hash as Keras 3.15 has them: MD5, except that it has none for
MobileNetV2, whose SHA-256 we measured. Keras publishes no AlexNet and no ResNet-18."""

FOLDERS = {
    "densenet201": "densenet",
    "efficientnet_v2_b0": "efficientnet_v2",
    "mobilenet_v3_large": "mobilenet_v3",
    "resnet50": "resnet",
}
"""Folder below `BASE_URL` where it is not the backbone's name."""

LONGEST_REASON = 400
"""Characters of another library's message that are shown."""


class WeightsError(InputError):
    """The starting weights cannot be had: a failed download, or a file that does not fit.

    Parameters
    ----------
    message : str
        What is wrong, and how to get them.
    otherwise : str
        Which weights a training may start from instead.
    """

    def __init__(self, message: str, *, otherwise: str = "") -> None:
        super().__init__(f"{message} {otherwise}".rstrip())
        self.message = message


def digests() -> set[str]:
    """Return the hashes of all files that Keras publishes."""
    return {digest for _, digest in IMAGENET.values()}


def cache() -> Path:
    """Return the folder in which Keras keeps what it downloads."""
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()


def imagenet_file(name: str) -> Path:
    """Return Keras' file for a backbone, from its cache; it is downloaded if it is not there.

    Raises
    ------
    UsageError
        If Keras publishes none for this backbone.
    WeightsError
        If the download fails.
    """
    import keras

    if name not in IMAGENET:
        raise UsageError(
            f"There are no ImageNet weights for {name}; they exist for {', '.join(IMAGENET)}. "
            "Use --weights none, or the path of a file."
        )
    file, digest = IMAGENET[name]
    origin = f"{BASE_URL}{FOLDERS.get(name, name)}/{file}"
    home = cache()
    try:
        # Keras silently caches under /tmp where this folder is not there yet.
        home.mkdir(parents=True, exist_ok=True)
        # A damaged file in the cache has another hash and is downloaded again.
        # Keras tells of its download on standard output, which belongs to results.
        with contextlib.redirect_stdout(sys.stderr):
            found = keras.utils.get_file(
                file,
                origin=origin,
                file_hash=digest,
                cache_subdir="models",
                cache_dir=str(home),
            )
        return Path(found)
    except Exception as error:  # urllib, ssl and Keras each raise their own
        raise WeightsError(
            f"The ImageNet weights of {name} are not in {home}/models and could not be downloaded "
            f"({first_line(error)}). Without network: fetch {origin} on a machine "
            f"that has it and put it into {home}/models here.",
            otherwise=f"Or pass its path with --weights PATH.{_offline(name)}",
        ) from error


def _offline(name: str) -> str:
    """Return which starting weights need no network."""
    own = (
        f" --weights {MRI} starts from the packaged model, which needs no network."
        if name == packaged_backbone()
        else ""
    )
    return f"{own} --weights none trains from random weights."


def first_line(error: BaseException) -> str:
    """Return the first line of another library's message, at most `LONGEST_REASON` characters."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return line if len(line) <= LONGEST_REASON else f"{line[: LONGEST_REASON - 2]} …"
