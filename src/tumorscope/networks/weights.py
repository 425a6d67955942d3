"""Starting weights of a backbone: Keras' download and cache, a file, or random."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.files import md5_of, sha256_of
from tumorscope.detection.detector import PACKAGED
from tumorscope.model_file.onnx_file import read_model
from tumorscope.networks.weights_of_model_file import (
    MRI,
    load_backbone,
    origin_of,
    packaged_backbone,
)
from tumorscope.recipes.origin import Weights, parse_weights

if TYPE_CHECKING:
    import keras

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


def load_weights(backbone: keras.Model, *, name: str, weights: str | Path) -> Weights:
    """Load starting weights into `backbone` in place.

    Parameters
    ----------
    backbone : keras.Model
        As built by `build_backbone`.
    name : str
        Its name in the registry.
    weights : {"imagenet", "mri", "none"} or path
        "imagenet" takes Keras' own file from its cache (``~/.keras/models``, or ``KERAS_HOME``)
        and downloads it once if it is not there; a path names an HDF5 weights file of the backbone
        without its top; "mri" is the backbone of the model in the package, which needs no
        network; "none" leaves the weights random.

    Returns
    -------
    Weights
        What was loaded, as `noted` tells it.

    Raises
    ------
    UsageError
        If Keras publishes no ImageNet weights for this backbone.
    WeightsError
        If the download fails, or the file cannot be read or does not fit.
    """
    if weights == "none":
        return Weights(kind="none")
    if weights == MRI:
        return load_backbone(backbone, name=name)
    if weights == "imagenet":
        path = _imagenet_file(name)
    else:
        path = Path(weights)
        if not path.is_file():
            raise _no_file(path, name)
    try:
        with warnings.catch_warnings():
            # Keras only warns when layers find nothing in the file and stay random.
            warnings.simplefilter("error", UserWarning)
            backbone.load_weights(str(path))
    except (ValueError, OSError, KeyError, TypeError, UserWarning) as error:
        raise WeightsError(
            f"The weights file {path} does not fit {name} ({_first_line(error)}). Expected the "
            f"HDF5 weights of {name} without its top ({backbone.count_params():,} parameters), as "
            "keras.applications keeps them. Use that file, or --weights none."
        ) from error
    return _of_file(path)


def noted(name: str, weights: str | Path) -> Weights:
    """Return what `load_weights` would, without loading.

    A file is noted by its SHA-256, also where it is Keras' own, which is fetched if need be;
    `record_of` tells what is the same under two names.
    """
    if weights == "none":
        return Weights(kind="none")
    if weights == MRI:
        return origin_of(read_model(PACKAGED))
    return _of_file(_imagenet_file(name) if weights == "imagenet" else Path(weights))


def weights_identity(weights: str | Path) -> str:
    """Return what tells starting weights apart: the content of a file, not its path."""
    if weights in ("imagenet", "none") or (weights != MRI and not Path(weights).is_file()):
        return str(weights)
    return noted("", weights).sentence


def _of_file(path: Path) -> Weights:
    return Weights(kind="file", name=path.name, digest=sha256_of(path))


def record_of(name: str, weights: str | Path) -> Weights:
    """Return what starting weights of a backbone hold, before they are loaded.

    Raises
    ------
    WeightsError
        If there is no such file.
    """
    if str(weights) == MRI:
        return origin_of(read_model(PACKAGED))
    if str(weights) in ("imagenet", "none"):
        return canonical(parse_weights(str(weights)), name)
    path = Path(weights)
    if not path.is_file():
        raise _no_file(path, name)
    md5 = md5_of(path)
    if md5 in _digests():
        return Weights(kind="imagenet", name=path.name, digest=md5)
    return canonical(_of_file(path), name)


def canonical(weights: Weights, name: str) -> Weights:
    """Return weights of a backbone under the one digest by which all records know them.

    Keras' own file is "imagenet" whether it was asked for by that word or by a path.
    """
    if weights.kind == "imagenet" and not weights.digest and name in IMAGENET:
        file, digest = IMAGENET[name]
        return Weights(kind="imagenet", name=file, digest=digest)
    if weights.kind != "file":
        return weights
    if weights.digest in _digests():
        return Weights(kind="imagenet", name=weights.name, digest=weights.digest)
    # A run notes the SHA-256 of every file, and Keras has only the MD5 of most.
    file, digest = IMAGENET.get(name, ("", ""))
    cached = _cache() / "models" / file
    if (
        file
        and cached.is_file()
        and sha256_of(cached) == weights.digest
        and md5_of(cached) == digest
    ):
        return Weights(kind="imagenet", name=file, digest=digest)
    return weights


def _digests() -> set[str]:
    return {digest for _, digest in IMAGENET.values()}


def weights_of(name: str, weights: str | Path) -> str | Path:
    """Return the starting weights of one of several backbones; see `load_weights`.

    Parameters
    ----------
    name : str
        Of the backbone in the registry.
    weights : {"imagenet", "none"} or path
        A folder stands for the file in it that is named like Keras' own, or like the backbone:
        ``vgg16.weights.h5`` or ``vgg16.h5``.

    Raises
    ------
    WeightsError
        If the folder has no such file.
    """
    if weights in ("imagenet", "none") or not Path(weights).is_dir():
        return weights
    official = [IMAGENET[name][0]] if name in IMAGENET else []
    wanted = [*official, f"{name}.weights.h5", f"{name}.h5"]
    for file in wanted:
        if (Path(weights) / file).is_file():
            return Path(weights) / file
    raise WeightsError(
        f"The folder {weights} has no weights of {name}. Expected one of {', '.join(wanted)}: the "
        "HDF5 weights of the backbone without its top. Put the file there."
    )


def _no_file(path: Path, name: str) -> WeightsError:
    return WeightsError(
        f"There is no weights file {path}. Expected imagenet, mri, none, or the path of an "
        f"HDF5 file with the weights of {name} without its top."
    )


def _cache() -> Path:
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()


def _imagenet_file(name: str) -> Path:
    import keras

    if name not in IMAGENET:
        raise UsageError(
            f"There are no ImageNet weights for {name}; they exist for {', '.join(IMAGENET)}. "
            "Use --weights none, or the path of a file."
        )
    file, digest = IMAGENET[name]
    origin = f"{BASE_URL}{FOLDERS.get(name, name)}/{file}"
    home = _cache()
    try:
        # Keras caches under /tmp, without a word, where this folder is not there yet.
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
            f"({_first_line(error)}). Without network: fetch {origin} on a machine "
            f"that has it and put it into {home}/models here.",
            otherwise=f"Or pass its path with --weights PATH.{_offline(name)}",
        ) from error


def _offline(name: str) -> str:
    """Return which weights of a backbone need no network, and what they are."""
    own = (
        f" --weights {MRI} starts from the packaged model, which needs no network."
        if name == packaged_backbone()
        else ""
    )
    return f"{own} --weights none trains from random weights."


def _first_line(error: BaseException) -> str:
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return line if len(line) <= LONGEST_REASON else f"{line[: LONGEST_REASON - 2]} …"
