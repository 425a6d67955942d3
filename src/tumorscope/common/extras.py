"""Libraries that the base install lacks: which extra brings each, and the command that works here.

No package index has tumorscope, so the command names the clone or the address it came from.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlparse

from tumorscope.common.errors import UsageError

Extra = Literal["train", "openvino", "litert", "parquet", "tune", "dicom", "serve", "ray"]

MODULES: Mapping[Extra, tuple[str, ...]] = {
    "train": ("keras", "tensorflow", "sklearn", "scipy", "matplotlib", "onnx", "h5py"),
    "openvino": ("openvino",),
    "litert": ("ai_edge_litert",),
    "parquet": ("pyarrow",),
    "tune": ("optuna", "sqlalchemy"),
    "dicom": (
        *("pydicom", "pylibjpeg", "openjpeg", "rle", "jpeg_ls", "gdcm", "nibabel"),
        *("highdicom", "pynetdicom", "dicomweb_client"),
    ),
    "serve": ("fastapi", "python_multipart", "uvicorn"),
    "ray": ("ray", "pyarrow"),
}
"""Extra → the modules that our code imports from it."""

CALLED = {"sklearn": "scikit-learn", "ai_edge_litert": "ai-edge-litert"}
CALLED |= {"openjpeg": "pylibjpeg-openjpeg", "rle": "pylibjpeg-rle", "jpeg_ls": "pyjpegls"}
CALLED |= {"gdcm": "python-gdcm", "dicomweb_client": "dicomweb-client"}
CALLED |= {"python_multipart": "python-multipart"}
"""Module → what it is called where it is installed, if that is another name."""

REPORTS = ("matplotlib", "scipy")
"""What a report about a model file needs of the extra “train”."""


class MissingExtraError(UsageError, ImportError):
    """A library of an extra is not installed; the message says how to get it (exit code 2)."""


def require(*extras: Extra, to: str, only: Collection[str] = ()) -> None:
    """Make sure that the libraries of extras are installed, without loading any of them.

    Called before work that would end where one is missing.

    Parameters
    ----------
    *extras : str
        All are needed.
    to : str
        What is to be done, after "To".
    only : collection of str
        Modules that are needed; all of the extras by default, but TensorFlow, in whose place
        Keras may have another backend.

    Raises
    ------
    MissingExtraError
        If one is not installed.
    """
    needed = [name for extra in extras for name in MODULES[extra] if name != "tensorflow"]
    lacking = [name for name in only or needed if not _installed(name)]
    if lacking:
        raise missing(*extras, to=to, lacking=lacking[0])


def missing(*extras: Extra, to: str, lacking: str) -> MissingExtraError:
    """Return the error for a library that is not installed; see `require`."""
    named = " and ".join(f"“{extra}”" for extra in extras)
    return MissingExtraError(
        f"To {to}, {CALLED.get(lacking, lacking)} is needed, which is not installed here. Expected "
        f"the {'extra' if len(extras) == 1 else 'extras'} {named}. {how_to_install(*extras)}"
    )


def missing_module(error: Exception, *, to: str) -> MissingExtraError | None:
    """Return the error for an import that failed because an extra is not installed, else None."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    name = error.name.partition(".")[0]
    # Of an installed library something else is wrong than that it is missing.
    for extra, modules in MODULES.items():
        if name in modules and not _installed(name):
            return missing(extra, to=to, lacking=name)
    return None


def how_to_install(*extras: Extra) -> str:
    """Return where to run which command, the command last, so that it can be copied."""
    wanted = f"[{','.join(extras)}]"
    where = "Run" if _clone(wanted) or _origin(wanted) else "In a clone of tumorscope, run"
    return f"{where}: {install_command(*extras)}"


def install_command(*extras: Extra) -> str:
    """Return the command that installs extras beside this very package."""
    wanted = f"[{','.join(extras)}]"
    source = _clone(wanted) or _origin(wanted)
    # Without a clone at hand the words of the README are right once there is one.
    source = source or f'-e ".{wanted}"'
    return f"{_pip()} install {source}"


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ValueError:  # it is there, and was loaded by hand
        return True


def _clone(wanted: str) -> str | None:
    """Return what to install, where this code lies in a clone."""
    root = Path(__file__).resolve().parents[3]
    if (root / "pyproject.toml").is_file() and (root / "src" / "tumorscope").is_dir():
        return _folder(root, wanted)
    return None


def _origin(wanted: str) -> str | None:
    """Return what to install, where pip recorded where the package came from (PEP 610)."""
    # Here, because they load a mail parser and an HTTP client, and every command imports this.
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.request import url2pathname

    try:
        record = json.loads(distribution("tumorscope").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError, OSError):
        return None
    url = str(record.get("url", ""))
    if "dir_info" in record:
        folder = Path(url2pathname(unquote(urlparse(url).path)))
        return _folder(folder, wanted) if (folder / "pyproject.toml").is_file() else None
    if vcs := record.get("vcs_info"):
        url = f"{vcs.get('vcs', 'git')}+{url}@{vcs.get('commit_id', '')}".rstrip("@")
    return f'"tumorscope{wanted} @ {url}"' if url else None


def _folder(folder: Path, wanted: str) -> str:
    here = "." if folder.resolve() == Path.cwd().resolve() else str(folder)
    return f'-e "{here}{wanted}"'


def _pip() -> str:
    # A virtual environment that is not active has another pip than the one on the path.
    in_venv = sys.prefix != sys.base_prefix
    if in_venv and Path(os.environ.get("VIRTUAL_ENV", "")).resolve() != Path(sys.prefix).resolve():
        return f"{shlex.quote(sys.executable)} -m pip"
    return "pip"
