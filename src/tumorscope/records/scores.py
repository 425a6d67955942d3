"""Scores that a command wrote as CSV, read back for given images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.csv_files import read_csv
from tumorscope.common.errors import InputError

SUM = 1e-3
"""How far the scores of all classes may be from summing to 1."""


def read_records(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the records of a CSV file of ours, each with all of `columns`.

    Raises
    ------
    InputError
        If it cannot be read, has no rows, lacks a column, or a row is cut off.
    """
    records = read_csv(path)
    for record in records:
        if not all(record.get(name) for name in columns):
            break
    else:
        if records:
            return records
    raise InputError(
        f"{path} lacks the columns {', '.join(columns)} or values in them, or has no rows. "
        "Expected the file as tumorscope wrote it. Run the command that makes it again."
    )


def scores_in(
    path: Path, records: Sequence[dict[str, str]], columns: Sequence[str] = ("score",)
) -> NDArray[np.float64]:
    """Return the scores of records, float64 (n, columns), probabilities.

    Raises
    ------
    InputError
        If one is no number from 0 to 1, or those of several classes do not sum to 1.
    """
    try:
        values = [[float(record[name]) for name in columns] for record in records]
    except (TypeError, ValueError, KeyError):
        values = [[float("nan")] * len(columns)]
    scores = np.array(values, dtype=np.float64).reshape(-1, len(columns))
    if not ((scores >= 0.0) & (scores <= 1.0)).all():  # NaN compares as false
        raise InputError(
            f"{path} holds scores that are no numbers from 0 to 1. Expected the file as tumorscope "
            "wrote it. Run the command that makes it again."
        )
    sums = scores.sum(axis=1)
    if len(columns) > 1 and not np.allclose(sums, 1.0, atol=SUM):
        worst = int(np.abs(sums - 1.0).argmax())
        raise InputError(
            f"{path} holds scores of the classes that do not sum to 1, but to {sums[worst]:g} in "
            f"row {worst + 1}. Expected the file as tumorscope wrote it. Run the command that "
            "makes it again."
        )
    return scores


def scores_of(
    path: Path, paths: Sequence[str], columns: Sequence[str] = ("score",)
) -> NDArray[np.float64]:
    """Return the scores of images in a scores.csv with one row for each.

    Parameters
    ----------
    path : Path
        The file; images of it that are not asked for are passed over.
    paths : sequence of str
        Images, by the paths of the manifest beside it.
    columns : sequence of str
        Of the file.

    Returns
    -------
    ndarray of float64, shape (n, columns)
        In the order of `paths`.

    Raises
    ------
    InputError
        If the file is damaged, or an image is not in it.
    """
    records = {each["path"]: each for each in read_records(path, ("path", *columns))}
    missing = [each for each in paths if each not in records]
    if missing:
        raise InputError(
            f"{path} has no score of {missing[0]}, and of {len(missing) - 1} other images. "
            "Expected one for every image of the manifest beside it. Run the command that makes it "
            "again."
        )
    return scores_in(path, [records[each] for each in paths], columns)
