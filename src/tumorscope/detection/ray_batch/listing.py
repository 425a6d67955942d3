"""Folders and addresses → files to look at, one after the other, with what tells a changed one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tumorscope.common.errors import InputError
from tumorscope.detection.find_images import find_images
from tumorscope.imaging.find import is_hidden, is_mask_folder
from tumorscope.imaging.kinds import IMAGE_SUFFIXES
from tumorscope.imaging.passed_over import PassedOver

_ADDRESS = re.compile(r"([a-z][a-z0-9+]+):/+")
_VERSIONS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated")
"""What file systems call that which changes with the content, the surest first."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that was found.

    Attributes
    ----------
    path : str
        A local path, which may hold bytes that are no text, or an address.
    size : int
        In bytes; -1 where that is unknown.
    version : str
        Changes when the content does: time of change, or the tag of an object store.
    remote : bool
        Whether `path` is an address that fsspec opens.
    """

    path: str
    size: int
    version: str
    remote: bool = False


def address_of(path: str | os.PathLike[str]) -> str | None:
    """Return the address that a path is, else None.

    A `Path` has swallowed slashes, which are put back.

    Examples
    --------
    >>> address_of("s3://scans/2026"), address_of(Path("s3://scans/2026"))
    ('s3://scans/2026', 's3://scans/2026')
    >>> address_of(Path("file:///scans"))
    'file:///scans'
    >>> address_of("scans/2026"), address_of(r"C:/scans")
    (None, None)
    """
    text = os.fspath(path)
    found = _ADDRESS.match(text)
    if found is None:
        return None
    slashes = ":///" if found[1] in ("file", "local") else "://"
    return f"{found[1]}{slashes}{text[found.end() :]}"


def list_entries(sources: Sequence[str | os.PathLike[str]], passed: PassedOver) -> Iterator[Entry]:
    """Yield the images of files, folders and addresses, in the same order at every run.

    One folder at a time is held in memory.

    Parameters
    ----------
    sources : sequence of path or str
        Local files and folders, and addresses such as s3://bucket/prefix.
    passed : PassedOver
        Counts what is passed over.

    Raises
    ------
    InputError
        If there is no image at all, or a place cannot be listed.
    """
    found = False
    for source in sources:
        address = address_of(source)
        entries = _local(Path(source), passed) if address is None else _remote(address, passed)
        for entry in entries:
            found = True
            yield entry
    if not found:
        named = ", ".join(address_of(source) or os.fspath(source) for source in sources)
        raise InputError(
            f"Found no images in {named or 'nothing'}. Expected files, or places that hold files "
            f"ending in {', '.join(sorted(IMAGE_SUFFIXES))} at any depth."
        )


def _local(path: Path, passed: PassedOver) -> Iterator[Entry]:
    for image in find_images([path], passed=passed):
        try:
            state = image.path.stat()
        except OSError:  # a row that says so
            yield Entry(os.fspath(image.path), -1, "")
            continue
        yield Entry(os.fspath(image.path), state.st_size, str(state.st_mtime_ns))


def file_system(address: str) -> tuple[Any, str]:
    """Return the fsspec file system of an address, and the path within it.

    Raises
    ------
    InputError
        If nothing that is installed opens such addresses.
    """
    import fsspec

    try:
        system, root = fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise InputError(
            f"Cannot open {address}: {error}. Expected an address for which an fsspec package is "
            "installed: s3fs for s3://, gcsfs for gs://, adlfs for az://."
        ) from error
    return system, str(root)


def _remote(address: str, passed: PassedOver) -> Iterator[Entry]:
    system, root = file_system(address)
    try:
        if system.isfile(root):
            yield _entry(system, system.info(root))
            return
        # fsspec swallows errors of listing by default, and with them the images.
        for place, folders, files in system.walk(root, detail=True, on_error="raise"):
            folders_kept = sorted(
                name for name in folders if not (is_hidden(name) or is_mask_folder(name))
            )
            _keep(folders, folders_kept)
            for name in sorted(files):
                if os.path.splitext(name)[1].lower() not in IMAGE_SUFFIXES:  # noqa: PTH122
                    passed.add("not-an-image", f"{place}/{name}")
                elif is_hidden(name):
                    passed.add("hidden", f"{place}/{name}")
                else:
                    yield _entry(system, files[name])
    except (OSError, ValueError) as error:
        raise InputError(
            f"Cannot list {address}: {error or type(error).__name__}. Expected a place that you "
            "may list. Check the address and the credentials."
        ) from error


def _keep(folders: dict[str, Any], names: Sequence[str]) -> None:
    """Make a walk go on in these folders only, and in this order."""
    kept = {name: folders[name] for name in names}
    folders.clear()
    folders.update(kept)


def _entry(system: Any, info: dict[str, Any]) -> Entry:
    version = next((str(info[name]) for name in _VERSIONS if info.get(name)), "")
    size = info.get("size")
    return Entry(
        system.unstrip_protocol(info["name"]), -1 if size is None else int(size), version, True
    )
