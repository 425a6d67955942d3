"""Names of sources as the command line takes them: commas between, quotes around a comma."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence

from tumorscope.common.errors import UsageError

EACH = "each"
"""Stands for every source in turn."""


def sources_named(words: str, known: Collection[str]) -> list[str]:
    """Return the sources that one ``--hold-out`` names.

    Parameters
    ----------
    words : str
        A source as it is called, whatever letters are in it; or several by the rules of CSV:
        ``north,east`` or ``"St. Mary, ward 3",north``. Spaces around a name do not count.
    known : collection of str
        The sources of the cohort.

    Raises
    ------
    UsageError
        If a quote is not closed.

    Examples
    --------
    >>> sources_named('north, "St. Mary, ward 3"', ["north", "St. Mary, ward 3"])
    ['north', 'St. Mary, ward 3']
    """
    if words in known:
        return [words]
    try:
        named = next(csv.reader([words.strip()], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise UsageError(
            f"Received --hold-out {words} ({error}). Expected names of sources with commas "
            f"between; a name with a comma stands in double quotes, {_example(known)}."
        ) from error
    return [name if name in known else name.strip() for name in named]


def sources_text(names: Sequence[str]) -> str:
    """Return names as `sources_named` reads them.

    Examples
    --------
    >>> print(sources_text(["north", "St. Mary, ward 3"]))
    north,"St. Mary, ward 3"
    """
    return ",".join(
        '"' + name.replace('"', '""') + '"'
        if any(letter in name for letter in ',"\n\r') or name != name.strip()
        else name
        for name in names
    )


def _example(known: Collection[str]) -> str:
    odd = [name for name in sorted(known) if "," in name]
    return f"""such as --hold-out '{sources_text(odd[:1] or ["St. Mary, ward 3"])}'"""


def refusal(named: Sequence[str], known: Collection[str]) -> UsageError | None:
    """Return the error for sources that are not there or named twice, None where all is well."""
    unknown = sorted(set(named) - set(known))
    if not unknown and len(set(named)) == len(named):
        return None
    wrong = f"{sources_text(unknown)} not in the cohort" if unknown else "a source twice"
    hint = ""
    if any("," in name for name in known):
        hint = f" A name with a comma stands in double quotes, {_example(known)}."
    return UsageError(
        f"Received sources to hold out: {sources_text(named)}; {wrong}. Expected each at most "
        f"once, of {sources_text(sorted(known))}. The column source of the manifest names them."
        + hint
    )
