"""Pillow's TIFF decoder writes of damage on standard error, past Python; here it is told not to."""

from __future__ import annotations

import ctypes
import functools
import logging

from PIL import _imaging


@functools.cache
def silence_libtiff() -> bool:
    """Let errors of the libtiff that Pillow decodes with be told by exceptions alone.

    Pillow silences warnings itself, but not errors, and offers no switch. Nothing is lost: the
    exception follows, and whoever catches it names the file, which the line on standard error does
    not. It counts for all of the process.

    Returns
    -------
    bool
        Whether it was done: not where libtiff is built into Pillow, as on Windows.
    """
    # Pillow logs some damage besides, and Python writes what nobody listens to on standard error.
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    try:
        # Pillow's module is loaded already; asking it finds the libtiff that it is linked with,
        # and not another one of this machine.
        silence = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (OSError, AttributeError, TypeError):
        return False
    silence.argtypes, silence.restype = [ctypes.c_void_p], ctypes.c_void_p
    silence(None)
    return True
