"""The versions of everything that decides a number."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

DECIDING = ("keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "numpy", "onnxruntime",
            "opencv-python-headless", "pillow", "scikit-learn")  # fmt: skip


def versions(names: Sequence[str] = DECIDING) -> dict[str, str]:
    """Return our version, Python's and those of packages, as far as they are installed."""
    found = {"tumorscope": own_version(), "python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def own_version() -> str:
    """Return the version of the installed package."""
    return version("tumorscope")
