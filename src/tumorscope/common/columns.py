"""Rows of text → columns that line up on a screen."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def aligned(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> str:
    """Return rows as lines, two spaces between columns; the last column is never padded.

    Parameters
    ----------
    rows : sequence of sequence of str
        All of one length.
    right : collection of int
        Columns that are set to the right, such as numbers.

    Examples
    --------
    >>> print(aligned([("images", "253"), ("of a patient", "9")], right=[1]))
    images        253
    of a patient    9
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
