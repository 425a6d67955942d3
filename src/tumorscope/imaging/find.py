"""Which files of a folder are images to look at: one rule for every command."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from tumorscope.common.errors import InputError
from tumorscope.common.names import printable
from tumorscope.imaging.kinds import IMAGE_SUFFIXES, format_of, is_dicom
from tumorscope.imaging.passed_over import PassedOver, Reason

LEFT_BY_SYSTEMS = frozenset(
    {"__macosx", "__pycache__", "@eadir", "desktop.ini", "ehthumbs.db", "lost+found", "thumbs.db"}
    | {"$recycle.bin", "system volume information"}
)
"""Names (lower case) that hold copies and thumbnails which nobody put there on purpose."""

OTHER_FORMATS = frozenset(
    {".dcm", ".dicom", ".ima", ".nii", ".hdr", ".img", ".mha", ".mhd", ".mnc", ".nrrd", ".nhdr"}
    | {".jp2", ".j2k", ".jpf", ".jpx", ".jls", ".jxl", ".heic", ".heif", ".avif"}
    | {".npy", ".npz", ".mat", ".pbm", ".pgm", ".ppm", ".pnm", ".tga", ".psd", ".exr", ".svs"}
)
"""Endings of files that may well hold scans, and are not read as a cohort's or batch's images."""

NEVER_IMAGES = frozenset(
    {".csv", ".db", ".docx", ".htm", ".html", ".ini", ".ipynb", ".json", ".jsonl", ".keras"}
    | {".log", ".md", ".onnx", ".parquet", ".pdf", ".pptx", ".py", ".rst", ".toml", ".tsv", ".txt"}
    | {".xls", ".xlsx", ".xml", ".yaml", ".yml", ".zip", ".gz", ".tar", ".7z", ".rar"}
)
"""Endings of files that are not opened to see whether they are images after all."""

MASK_FOLDERS = frozenset({"mask", "masks", "segmentation", "segmentations"})
_MASK = re.compile(r"(?P<image>.+)[ _.-](?:mask|seg|segmentation)(?:[ _.-]?\d+)?", re.IGNORECASE)

OVERLAY_SOFTWARE = "tumorscope overlay"
"""What an overlay's PNG names as its software: it is not a scan."""

_MARK_OF_OVERLAYS = b"tEXtSoftware\0" + OVERLAY_SOFTWARE.encode()
_HEAD = 128
"""Bytes that hold the beginning of a PNG and our mark, which is the first chunk after that."""

_NUMBERS = re.compile(r"\.\d+")


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of that name is passed over as hidden."""
    return name.startswith(".") or name.lower() in LEFT_BY_SYSTEMS


def is_mask_folder(name: str) -> bool:
    """Return whether a folder of that name holds masks of lesions, not scans."""
    return name.lower() in MASK_FOLDERS


def image_of_mask(stem: str) -> str | None:
    """Return the stem of the image that a mask's stem names (``a_mask`` → ``a``), else None.

    Examples
    --------
    >>> image_of_mask("P07_mask"), image_of_mask("P07")
    ('P07', None)
    """
    found = _MASK.fullmatch(stem)
    return found["image"] if found else None


def images_below(
    folder: Path,
    *,
    exclude: Sequence[Path] = (),
    passed: PassedOver | None = None,
    masks: bool = False,
) -> Iterator[Path]:
    """Yield the images below a folder, and count what is passed over.

    To any depth, files of a folder before its subfolders, each sorted by name, so the order is the
    same in every run. One folder at a time is held in memory. Images are files with an image's
    ending. Passed over are hidden files and folders, what systems leave (`LEFT_BY_SYSTEMS`),
    overlays that tumorscope painted, masks of lesions (files named like ``a_mask.png``, and folders
    called masks), other files, and links to folders, so that loops of links end. Links to files are
    followed. A subfolder that cannot be listed, and a link to itself, are yielded themselves, so
    that they are reported as unreadable.

    Parameters
    ----------
    folder : path
        Searched whatever it is called, and also where it is a link.
    exclude : sequence of path
        Folders that are passed over without counting, such as the one that results are written
        to, whether they exist already or come into being during the search.
    passed : PassedOver, optional
        Counts what is passed over.
    masks : bool
        Whether masks are yielded as well.

    Raises
    ------
    InputError
        If `folder` itself cannot be listed.
    """
    # A stack instead of recursion: folders may be nested deeper than Python's calls.
    stack = [folder]
    named = True
    while stack:
        place = stack.pop()
        try:
            names, subfolders = list_folder(place, root=folder, passed=passed, masks=masks)
        except OSError as error:
            if named:
                raise cannot_list(place, error) from error
            yield place
            continue
        named = False
        yield from (place / name for name in names)
        # Anew for each folder, because the first overlay may have made the one to pass over.
        out = [_identity(each) for each in exclude] if subfolders else []
        stack += [
            place / name
            for name in reversed(subfolders)
            if not out or _identity(place / name) not in out
        ]


def cannot_list(folder: Path, error: OSError) -> InputError:
    """Return the error for a folder that cannot be listed."""
    return InputError(
        f"Cannot list the folder {printable(folder)}: {error.strerror or error}. Expected a folder "
        "that you may read. Check its permissions."
    )


def list_folder(
    folder: Path,
    *,
    root: Path,
    passed: PassedOver | None = None,
    masks: bool = False,
    follow: bool = False,
) -> tuple[list[str], list[str]]:
    """Return the names of the images in one folder, and of the subfolders to look into.

    Parameters
    ----------
    folder, root : path
        What is listed, and where the search began.
    passed : PassedOver, optional
        Counts the rest.
    masks, follow : bool
        Whether masks are images, and links to folders are folders.

    Raises
    ------
    OSError
        If it cannot be listed.
    """
    names, subfolders = [], []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            path = folder / entry.name
            is_folder, is_linked, is_odd = _look_at(entry, follow=follow)
            if is_hidden(entry.name):
                _count_all(path, passed, "hidden", is_folder=is_folder)
            elif is_folder and is_mask_folder(entry.name) and not masks:
                _count_all(path, passed, "mask", is_folder=True)
            elif is_folder:
                subfolders.append(entry.name)
            elif is_linked:
                count_link(path, root, passed)
            elif is_odd or _ending(entry.name) in IMAGE_SUFFIXES:
                names.append(entry.name)
            else:
                _count_other(path, passed)
    names = [name for name in names if not _is_overlay(folder / name, passed)]
    stems = {_stem(name) for name in names}
    of_masks = {
        name: image
        for name in names
        if not masks and (image := image_of_mask(_stem(name))) is not None
    }
    if passed is not None:
        for name, image in of_masks.items():
            if image in stems:
                passed.add("mask", folder / name)
            else:  # its image lies elsewhere, or it is a scan that has such a name
                passed.add("mask-alone", folder / name, scan=True)
    return [name for name in names if name not in of_masks], subfolders


def _look_at(entry: os.DirEntry[str], *, follow: bool) -> tuple[bool, bool, bool]:
    """Return whether an entry is a folder to look into, one by a link, or one that nobody can tell.

    The last is a link to itself, or what the system will not look at: its reader says so.
    """
    try:
        is_folder = entry.is_dir(follow_symlinks=follow)
        return is_folder, entry.is_symlink() and entry.is_dir(), False
    except OSError:
        return False, False, True


def _count_all(path: Path, passed: PassedOver | None, reason: Reason, *, is_folder: bool) -> None:
    """Count the images of a folder that is passed over as a whole; without any, the folder."""
    if passed is None:
        return
    count = 0
    for place, folders, names in os.walk(path) if is_folder else ():
        folders.sort()
        for name in sorted(names):
            if _ending(name) in IMAGE_SUFFIXES | OTHER_FORMATS:
                passed.add(reason, Path(place, name))
                count += 1
    if not count:
        passed.add(reason, path)


def count_link(link: Path, root: Path, passed: PassedOver | None) -> None:
    """Count a link to a folder that is not followed in a search of `root`."""
    if passed is not None:
        # What lies below the folder is found without the link, and what holds it is a loop.
        target, whole = link.resolve(), root.resolve()
        inside = target.is_relative_to(whole) or whole.is_relative_to(target)
        passed.add("linked-folder", link, scan=not inside)


def _count_other(path: Path, passed: PassedOver | None) -> None:
    if passed is None:
        return
    ending = _ending(path.name)
    if ending in OTHER_FORMATS or path.name.lower().endswith(".nii.gz"):
        named = ".nii.gz" if ending == ".gz" else ending
        passed.add("format-not-read", path, kind=named, scan=True)
        return
    content = "" if ending in NEVER_IMAGES else _kind_by_content(path)
    if content == "DICOM":
        passed.add("format-not-read", path, kind="DICOM without an ending", scan=True)
    elif content:
        passed.add("no-image-ending", path, kind=ending or "no ending", scan=True)
    else:
        kind = "" if _NUMBERS.fullmatch(ending) else ending
        passed.add("not-an-image", path, kind=kind or "no ending")


def _is_overlay(path: Path, passed: PassedOver | None) -> bool:
    """Return, and count, whether a file is a picture with evidence that an earlier run painted."""
    if _ending(path.name) != ".png" or _MARK_OF_OVERLAYS not in _head(path, _HEAD):
        return False
    if passed is not None:
        passed.add("overlay", path)
    return True


def _kind_by_content(path: Path) -> str:
    """Return "image" or "DICOM" where the first bytes say so, else ""."""
    head = _head(path, 132)
    if is_dicom(head):
        return "DICOM"
    # Two letters, which begin a BMP, begin many a text.
    return "" if format_of(head) in (None, "BMP") else "image"


def _head(path: Path, size: int) -> bytes:
    """Return the first bytes of a file; none where it cannot be read."""
    try:
        # Reading a pipe would wait, and a device would not end.
        if not stat.S_ISREG(path.stat().st_mode):
            return b""
        with path.open("rb", buffering=0) as stream:
            return stream.read(size)
    except OSError:
        return b""


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 (this runs once for each of millions)


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]  # noqa: PTH122


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino
