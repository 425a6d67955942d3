"""The words for an image that cannot be read, one for each kind of reason."""

from __future__ import annotations

from typing import NoReturn

from tumorscope.common.errors import UnreadableImageError
from tumorscope.imaging.bounds import TooMuchError


def check_size(source: str, width: int, height: int, max_pixels: int) -> None:
    """Refuse an image of more than `max_pixels` pixels, before it is decoded."""
    if width * height > max_pixels:
        refuse(
            source,
            f"it is {width} × {height} pixels",
            f"at most {max_pixels:,} pixels in all",
            "Shrink it, or check that it is a scan at all.",
        )


def refuse_several(source: str, count: int) -> NoReturn:
    """Raise the error for a file of several pictures."""
    refuse(
        source,
        f"it holds {count} pictures",
        "one slice in a file",
        "Save each slice that you want as a file of its own: the others would be passed over.",
    )


def refuse(
    source: str, received: str, expected: str, advice: str, *, final: bool = True
) -> NoReturn:
    """Raise the error for an image that cannot be read."""
    why = f"{received}; expected {expected}. {advice}"
    raise UnreadableImageError(f"Cannot read {source}: {why}", why=why, final=final)


def refuse_memory(source: str) -> NoReturn:
    """Raise the error for an image for which the memory of the machine does not suffice."""
    refuse(
        source,
        "the memory does not suffice to read it",
        "a picture of usual size, or more free memory",
        "End other programs, or shrink it.",
        final=False,
    )


def refuse_too_much(source: str, error: TooMuchError) -> NoReturn:
    """Raise the error for an image that has more parts than are read."""
    refuse(
        source,
        f"it has {error}, and would take too long to read",
        "an image as programs write them",
        "Open it in an image viewer and save it as PNG, or take it out.",
    )
