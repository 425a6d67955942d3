"""UIDs of results: the same for the same instances, model and settings, so a resend is no copy."""

from __future__ import annotations

import json
import uuid

from tumorscope.common.versions import own_version
from tumorscope.detection.series_finding import SeriesFinding, SliceFinding

MAKER = "tumorscope"
"""Manufacturer of every result, by which a receiver tells ours from others."""

NAMESPACE = uuid.UUID("6f0d1b5e-52c6-4b1c-9d0e-3c5a7f1e9a42")
"""Of all our UIDs; another one would give every result a new name."""

DIGITS = 4
"""Decimals of every number in a result, by which it is also named."""


def uid_of(*said: str) -> str:
    """Return the UID that stands for some texts: 2.25 and a UUID of their hash (version 5).

    Examples
    --------
    >>> uid_of("a", "b") == uid_of("a", "b"), uid_of("a", "b") == uid_of("ab")
    (True, False)
    >>> uid_of("a")[:5], len(uid_of("a")) <= 44
    ('2.25.', True)
    """
    return f"2.25.{uuid.uuid5(NAMESPACE, json.dumps(said)).int}"


def identity_of(found: SeriesFinding) -> str:
    """Return a text that is the same for two findings whose results say the same.

    It names the version of this program, the model and how it was asked, every instance that was
    seen, also those between the slices that were looked at, and what was answered: a late instance
    makes another result.
    """
    level = found.level
    return json.dumps(
        {
            "version": own_version(),
            "model": found.model,
            "operating_point": found.operating_point,
            "window": found.window,
            "plane": found.plane,
            "series": [found.study_uid, found.series_uid, *found.part],
            "instances": sorted([each.sop_instance_uid, each.frame or 0] for each in found.origins),
            "looked_at": [[each.index, round(each.position, 2)] for each in found.slices],
            "decision": [found.decision, rounded(found.score), *found.reasons],
            "level": None if level is None else [level.no_tumour, level.tumour],
            "key_slices": [_of_slice(each) for each in found.key_slices],
        }
    )


def series_identity_of(found: SeriesFinding) -> str:
    """Return a text that all results of one source series share, of one model and its settings."""
    return json.dumps(
        [own_version(), found.model, found.operating_point, found.study_uid, found.series_uid]
    )


def rounded(value: float | None) -> float | None:
    """Return a number as results state it; most viewers show 16 characters at most."""
    return None if value is None else round(value, DIGITS)


def _of_slice(each: SliceFinding) -> list[object]:
    return [each.index, each.finding.decision, rounded(each.finding.probability)]
