"""May a command go on in this folder? Every command asks here, before it writes anything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from tumorscope.common.errors import InputError, UsageError
from tumorscope.records.protocol import Protocol, difference_text, mention_versions

FINISHED = "keep what is finished"
"""What --resume does where results are made one by one."""


def reserve(
    folder: Path,
    asked: Protocol,
    *,
    there: str,
    kept: Callable[[], Protocol],
    resume: bool,
    what: str,
    passing: Collection[str] = (),
) -> Protocol:
    """Make sure that what is in a folder may be continued, and return what it was made by.

    Parameters
    ----------
    folder : Path
        Holds results of the same command.
    asked : Protocol
        What is asked for now.
    there : str
        What it holds: "folds of a cross-validation".
    kept : callable
        Returns what that was made by; called only if it may be continued at all.
    resume : bool
        Whether going on was asked for.
    what : str
        Begins the refusal: "The folds in cv belong".
    passing : collection of str
        Names of what may differ; see `Protocol.changes`.

    Raises
    ------
    UsageError
        If `resume` is false.
    InputError
        If anything that decides the results differs.
    """
    must_resume(folder, there, resume=resume)
    then = kept()
    refuse_changes(then.changes(asked, passing=passing), what=what)
    mention_versions(then, asked)
    return then


def must_resume(folder: Path, there: str, *, resume: bool, to: str = FINISHED) -> None:
    """Refuse to go on in a folder without being asked to.

    Raises
    ------
    UsageError
        If `resume` is false.
    """
    if not resume:
        raise UsageError(
            f"{folder} holds {there}. Add --resume to {to}, choose another folder with -o, or "
            "delete it."
        )


def refuse_changes(
    changes: Sequence[str], *, what: str, elsewhere: str = "choose another folder with -o"
) -> None:
    """Refuse to go on where something that decides the results is not as it was.

    Parameters
    ----------
    changes : sequence of str
        What differs, in words; nothing is refused where there is none.
    what : str
        Begins the refusal: "The folds in cv belong".
    elsewhere : str
        How to keep both results.

    Raises
    ------
    InputError
        If there are changes.

    Examples
    --------
    >>> refuse_changes([], what="The folds in cv belong")
    >>> refuse_changes(["seed: 0 then, 1 now"], what="The folds in cv belong")
    Traceback (most recent call last):
    tumorscope.common.errors.InputError: The folds in cv belong to another recipe, ...
    """
    if changes:
        raise InputError(
            f"{what} to another recipe, cohort, protocol or set of starting weights; nothing was "
            f"changed. {difference_text(changes)} Expected the same as at the beginning. Give them "
            f"again, or {elsewhere}."
        )
