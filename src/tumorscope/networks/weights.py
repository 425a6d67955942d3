"""Starting weights of a backbone: Keras' own, a file, the packaged model's, or random."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.common.files import md5_of, sha256_of
from tumorscope.detection.detector import PACKAGED
from tumorscope.model_file.onnx_file import read_model
from tumorscope.networks.imagenet import (
    IMAGENET,
    WeightsError,
    cache,
    digests,
    first_line,
    imagenet_file,
)
from tumorscope.networks.weights_of_model_file import MRI, load_backbone, origin_of
from tumorscope.recipes.origin import Weights

if TYPE_CHECKING:
    import keras


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
        What was loaded, as `noted` returns it.

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
        path = imagenet_file(name)
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
            f"The weights file {path} does not fit {name} ({first_line(error)}). Expected the "
            f"HDF5 weights of {name} without its top ({backbone.count_params():,} parameters), as "
            "keras.applications keeps them. Use that file, or --weights none."
        ) from error
    return _of_file(path)


def noted(name: str, weights: str | Path) -> Weights:
    """Return what `load_weights` would, without loading.

    A file is noted by its SHA-256, also where it is Keras' own, which is fetched if need be;
    `record_of` has one record for one file under two names.

    Examples
    --------
    >>> noted("mobilenet_v2", "none").sentence, noted("mobilenet_v2", "mri").kind
    ('none (random)', 'mri')
    """
    if weights == "none":
        return Weights(kind="none")
    if weights == MRI:
        return origin_of(read_model(PACKAGED))
    return _of_file(imagenet_file(name) if weights == "imagenet" else Path(weights))


def weights_identity(weights: str | Path) -> str:
    """Return what distinguishes starting weights: the content of a file, not its path."""
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
    if weights == "none":
        return Weights(kind="none")
    if weights == "imagenet":
        return canonical(Weights(kind="imagenet"), name)
    path = Path(weights)
    if not path.is_file():
        raise _no_file(path, name)
    md5 = md5_of(path)
    if md5 in digests():
        return Weights(kind="imagenet", name=path.name, digest=md5)
    return canonical(_of_file(path), name)


def canonical(weights: Weights, name: str) -> Weights:
    """Return weights of a backbone under the one digest by which all records know them.

    Keras' own file is "imagenet" whether it was asked for by that word or by a path.

    Examples
    --------
    >>> canonical(Weights(kind="imagenet"), "vgg16").name
    'vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5'
    """
    if weights.kind == "imagenet" and not weights.digest and name in IMAGENET:
        file, digest = IMAGENET[name]
        return Weights(kind="imagenet", name=file, digest=digest)
    if weights.kind != "file":
        return weights
    if weights.digest in digests():
        return Weights(kind="imagenet", name=weights.name, digest=weights.digest)
    # A run notes the SHA-256 of every file, and Keras has only the MD5 of most.
    file, digest = IMAGENET.get(name, ("", ""))
    cached = cache() / "models" / file
    if (
        file
        and cached.is_file()
        and sha256_of(cached) == weights.digest
        and md5_of(cached) == digest
    ):
        return Weights(kind="imagenet", name=file, digest=digest)
    return weights


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
