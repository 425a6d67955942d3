"""The versions of everything that decides a number."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version


def versions() -> dict[str, str]:
    """Return the versions of everything that decides a number."""
    found = {"tumorscope": own_version(), "python": platform.python_version()}
    names = ("keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "numpy", "onnxruntime")
    for name in (*names, "opencv-python-headless", "pillow", "scikit-learn"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def own_version() -> str:
    """Return the version of the installed package."""
    return version("tumorscope")
