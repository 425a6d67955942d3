"""Keras, loaded without TensorFlow's start-up messages and with the settings that networks need."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from pathlib import Path

from tumorscope.common.cores import cores
from tumorscope.common.errors import SurroundingsError
from tumorscope.common.extras import missing_module, require
from tumorscope.common.streams import quiet_libraries
from tumorscope.common.words import one_line

BACKENDS = ("tensorflow", "jax", "torch")
"""What Keras trains with; "tensorflow" comes with the extra “train”."""


def load_keras() -> None:
    """Import Keras quietly; later ``import keras`` statements find it there.

    TensorFlow writes to the terminal's file descriptor before any of its settings are read, so
    the descriptor is diverted; what was written is shown if the import fails. A user's keras.json
    that asks for channels first or half precision is meant for other programs: here it would
    change what a recipe means.

    Raises
    ------
    MissingExtraError
        If the extra “train” is not installed.
    SurroundingsError
        If Keras cannot be loaded, or is told to use a backend that is not installed.
    """
    if "keras" not in sys.modules:
        _import_keras()
    import keras

    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)


def quiet_tensorflow() -> None:
    """Let TensorFlow log errors only, unless the user asked for more; before it is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # It warns of retracing when a last batch is smaller, which is once per phase here.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _import_keras() -> None:
    require("train", to="train and evaluate networks")
    name, where = _backend()
    if name not in BACKENDS:
        raise SurroundingsError(
            f"{where} tells Keras to compute with {name}, which cannot train. Expected one of "
            f"{', '.join(BACKENDS)}. {_remedy(where)}"
        )
    quiet_tensorflow()
    # It sees the cores that it is bound to, not the time that a container allows.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(cores()))
    try:
        with quiet_libraries(), warnings.catch_warnings():
            # What libraries deprecate in each other is not for users, nor may it end a program
            # that was started with PYTHONWARNINGS=error.
            warnings.simplefilter("ignore")
            import keras  # noqa: F401
    except (ImportError, ValueError, OSError, AttributeError) as error:
        reason = one_line(error)
        lacking = missing_module(error, to="train and evaluate networks")
        if lacking is not None and name == "tensorflow":
            raise lacking from error
        if name != "tensorflow":
            raise SurroundingsError(
                f"{where} tells Keras to compute with {name}, which cannot be loaded ({reason}). "
                f"Expected tensorflow, which the extra “train” installs, or another that is "
                f"installed. {_remedy(where)}"
            ) from error
        raise SurroundingsError(
            f"Keras cannot be loaded ({type(error).__name__}: {reason}). Expected Keras and "
            "TensorFlow in versions that fit each other, as constraints.txt names them, and a "
            f"{_settings()} that Keras can read. Install them again, or correct that file."
        ) from error


def _settings() -> Path:
    """Return where Keras looks for its settings."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path("~/.keras").expanduser()) / "keras.json"


def _backend() -> tuple[str, str]:
    """Return what Keras will compute with, and what says so."""
    if asked := os.environ.get("KERAS_BACKEND"):
        return asked, "The environment variable KERAS_BACKEND"
    try:
        settings = json.loads(_settings().read_text("utf-8"))
        return str(settings.get("backend", BACKENDS[0])), f"The file {_settings()}"
    except (OSError, ValueError, AttributeError, RuntimeError):
        return BACKENDS[0], "Keras' default"


def _remedy(where: str) -> str:
    if "KERAS_BACKEND" in where:
        return "Unset it, or set KERAS_BACKEND=tensorflow."
    return "Correct it there, or set KERAS_BACKEND=tensorflow, which wins."
