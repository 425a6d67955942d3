"""`Finding` ↔ one row of the results, as a table shows it and a log keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict, cast

import numpy as np

from tumorscope.detection.find_images import Found
from tumorscope.detection.finding import Decision, Finding
from tumorscope.detection.journal import Record

EVIDENCE = ("bias", "evidence", "unreadable")
"""What only a log keeps, and only where pictures will be drawn from it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a batch says about one file.

    Attributes
    ----------
    found : Found
        The file.
    values : dict
        By column of `tumorscope.detection.tables.FINDING_COLUMNS`.
    resumed : bool
        Whether an earlier run computed it.
    finding : Finding or None
        None where an earlier run computed it and no thumbnail is drawn.
    thumbnail : bytes or None
        JPEG, where one was asked for.
    """

    found: Found
    values: Record
    resumed: bool
    finding: Finding | None = None
    thumbnail: bytes | None = None


class _Kept(TypedDict):
    """What `with_evidence` wrote."""

    path: str
    decision: Decision
    probability: float | None
    prediction_set: str
    reasons: str
    seen: bool | None
    model: str
    operating_point: str
    threshold: float | None
    distance: float | None
    logit: float | None
    bias: float | None
    evidence: list[list[float]] | None
    unreadable: str
    ms: float


def record_of(finding: Finding, *, path: str, sha256: str) -> Record:
    """Return a finding as values by column of `tumorscope.detection.tables.FINDING_COLUMNS`."""
    return {
        "path": path,
        "probability": finding.probability,
        "decision": finding.decision,
        "reasons": ";".join(finding.reasons),
        "seen": finding.seen,
        "model": finding.model,
        "ms": round(finding.ms, 3),
        "operating_point": finding.operating_point,
        "threshold": finding.threshold,
        "prediction_set": ";".join(finding.prediction_set),
        "distance": finding.distance,
        "logit": finding.logit,
        "sha256": sha256,
    }


def with_evidence(record: Record, finding: Finding) -> Record:
    """Return a record that `finding_of` can turn back into the finding, evidence map included."""
    rows: list[list[float]] | None = None
    if finding.evidence is not None:
        # The shortest text that is the same float32 again: half as long as that of a float64.
        rows = [[float(str(value)) for value in row] for row in finding.evidence]
    kept = (finding.bias, rows, finding.unreadable)
    return {**record, **dict(zip(EVIDENCE, kept, strict=True))}


def without_evidence(record: Record) -> Record:
    """Return a record as a table shows it."""
    return {name: value for name, value in record.items() if name not in EVIDENCE}


def finding_of(record: Mapping[str, object], *, zone: tuple[float, float] | None = None) -> Finding:
    """Return the finding that `with_evidence` wrote down.

    Parameters
    ----------
    record : mapping
        From `with_evidence`.
    zone : tuple of float, optional
        Of the detector that answered, which all its findings share.
    """
    kept = cast(_Kept, record)
    rows = kept["evidence"]
    return Finding(
        source=kept["path"],
        decision=kept["decision"],
        probability=kept["probability"],
        prediction_set=tuple(filter(None, kept["prediction_set"].split(";"))),
        reasons=tuple(filter(None, kept["reasons"].split(";"))),
        seen=kept["seen"],
        model=kept["model"],
        operating_point=kept["operating_point"],
        threshold=kept["threshold"],
        distance=kept["distance"],
        logit=kept["logit"],
        bias=kept["bias"],
        evidence=None if rows is None else np.array(rows, dtype=np.float32),
        ms=kept["ms"],
        zone=zone,
        unreadable=kept["unreadable"],
    )
