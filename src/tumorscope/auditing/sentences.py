"""What people are told about an audit, in sentences; see also `tumorscope.cohort.sentences`."""

from __future__ import annotations

from tumorscope.auditing.input_check import InputChecks
from tumorscope.auditing.result import Audit
from tumorscope.cohort.sentences import (
    on_divided_groups,
    on_masks,
    on_prefixes,
    on_rule,
    on_scan,
)
from tumorscope.common.words import counted, some_of


def on_audit(found: Audit) -> list[str]:
    """Return what was left out, taken for patients, or is to be looked at."""
    checks = on_checks(found.input_checks) if found.input_checks else ""
    rows = found.manifest.usable.rows
    return [
        *([checks] if checks else ()),
        *on_groups(found),
        *on_scan(found.manifest.notes),
        *([on_masks(rows)] if any(row.mask for row in rows) else ()),
        *(f"{name}: {line}" for name, passed in found.against.items() for line in passed.words()),
        *on_blind(found),
    ]


def on_groups(found: Audit) -> list[str]:
    """Return what was said of groups, what file names say about them, and which are divided."""
    lines = (
        on_rule(found.grouping) if found.grouping else "",
        on_prefixes(found.shared_prefixes) if found.shared_prefixes else "",
        on_divided_groups(found.manifest),
    )
    return [line for line in lines if line]


def on_blind(found: Audit) -> list[str]:
    """Return which images of other cohorts were not looked at."""
    told = (
        (found.compared_by_bytes, "compared by the hashes in the manifest alone"),
        (found.not_compared, "not compared at all"),
    )
    return [
        f"{len(paths)} images of other cohorts are gone, changed or unreadable and were {how}, so "
        f"a copy that was saved again is not found: {some_of(paths)}. Put the files back and audit "
        "again to be sure."
        for paths, how in told
        if paths
    ]


def on_checks(checks: InputChecks) -> str:
    """Return which images are perhaps not brain MRI; "" for none."""
    doubted = [*checks.refused, *checks.unusual]
    if not doubted:
        return ""
    shown = [path for path in checks.furthest if path in set(doubted)]
    return (
        f"Look at {counted(len(doubted), 'image that is', 'images that are')} perhaps not brain "
        f"MRI ({len(checks.refused)} that {checks.model} would refuse, {len(checks.unusual)} much "
        f"further from what it knows than the rest): {some_of(shown, 5, total=len(doubted))}."
    )
