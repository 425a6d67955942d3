"""What a series is known by in a log: the content of its files, and what they are called."""

from __future__ import annotations

import glob
import hashlib
from pathlib import Path

from tumorscope.common.files import sha256_of
from tumorscope.common.names import as_text
from tumorscope.scans import Series


def content_of(series: Series) -> str:
    """Return a SHA-256 that is another one as soon as a byte or a name of a file is.

    Empty where a file cannot be read; the reader will say what is wrong with it.
    """
    files = [each.path for each in series.frames] + list(series.multiframe)
    whole = hashlib.sha256()
    try:
        for path in sorted(dict.fromkeys(files)) or [series.path]:
            whole.update(f"{as_text(path)}\0{sha256_of(Path(path))}\n".encode())
            if path.lower().endswith((".hdr", ".nhdr")):
                whole.update(_beside(Path(path)))
    except OSError:
        return ""
    return whole.hexdigest()


def _beside(header: Path) -> bytes:
    """Return the content of the files that hold the values of a header in a file of its own."""
    stem = header.name[: -len(header.suffix)]
    files = sorted(each for each in header.parent.glob(f"{glob.escape(stem)}.*") if each != header)
    return "".join(sha256_of(each) for each in files if each.is_file()).encode()
