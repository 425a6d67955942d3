"""Keras, loaded without TensorFlow's start-up messages."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator

from tumorscope.common.errors import UsageError


def load_keras() -> None:
    """Import Keras quietly; later ``import keras`` statements find it there.

    TensorFlow writes to the terminal's file descriptor before any of its settings are read, so
    the descriptor is diverted; what was written is shown if the import fails.

    Raises
    ------
    UsageError
        If Keras or its backend is not installed.
    """
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with _diverted_stderr():
            import keras  # noqa: F401
        # It warns of retracing when a last batch is smaller, which is once per phase here.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    except ImportError as error:
        raise UsageError(
            f"Training and evaluating need Keras, which cannot be imported ({error}). Expected the "
            "train extra. Install it with: pip install 'tumorscope[train]'"
        ) from error


@contextlib.contextmanager
def _diverted_stderr() -> Iterator[None]:
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as chatter:
            os.dup2(chatter.fileno(), 2)
            try:
                yield
            except BaseException:
                os.dup2(kept, 2)
                chatter.seek(0)
                os.write(2, chatter.read())
                raise
    finally:
        os.dup2(kept, 2)
        os.close(kept)
