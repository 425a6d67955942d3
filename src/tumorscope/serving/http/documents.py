"""What `GET /v1/findings/{id}` says, while it is worked on and once it is done."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import UTC, datetime

from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.detection.detector import Detector
from tumorscope.serving.http.job import Job, State
from tumorscope.serving.http.problems import Problem
from tumorscope.serving.http.store import FINDING

HALF = "finding.half"

Document = dict[str, object]


def status_of(job: Job) -> Document:
    """Return what is known of a request whose answer is not written yet."""
    # Its thread may have finished it a moment ago.
    return _common(job, "queued" if job.state == "queued" else "running")


def _common(job: Job, state: State) -> Document:
    return {
        "id": job.id,
        "state": state,
        "notice": RESEARCH_USE_ONLY,
        "created": _moment(job.created),
        "files": len(job.uploads),
        "looked_at": job.looked_at,
        "total": job.total,
    }


def answer_of(job: Job, detector: Detector, *, retention: float) -> Document:
    """Return the answer to a request, or why it failed."""
    now = time.time()
    document = {
        **_common(job, job.state),
        "finished": _moment(now),
        "expires": _moment(now + retention),
        "model": detector.model_id,
        "operating_point": detector.operating_point,
    }
    if job.problem is not None:
        return {**document, "problem": job.problem.document()}
    return {
        **document,
        "decisions": dict(Counter(str(row["decision"]) for row in job.rows)),
        "rows": job.rows,
        "items": job.items,
    }


def as_json(document: object) -> str:
    """Return JSON; a number that is none is refused, as it would become null or no JSON at all.

    Raises
    ------
    ValueError
        If a number is infinite or not a number.

    Examples
    --------
    >>> as_json({"probability": 0.25})
    '{"probability":0.25}'
    """
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def write_answer(job: Job, detector: Detector, *, retention: float) -> str:
    """Write the answer into the folder of the request: from then on it is done. Return it."""
    job.state = "done" if job.problem is None else "failed"
    try:
        text = as_json(answer_of(job, detector, retention=retention))
    except ValueError:
        job.problem, job.state = _not_a_number(), "failed"
        text = as_json(answer_of(job, detector, retention=retention))
    # Whole or not at all; the folder is private, so the file need not be.
    half = job.place / HALF
    job.kept += half.write_bytes(text.encode())
    half.replace(job.place / FINDING)
    return text


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _not_a_number() -> Problem:
    return Problem(
        500,
        received="Received files for which the model gave a value that is no number.",
        expected="Expected a finite number.",
        what_to_do="Report this as a bug in tumorscope, with the model's id.",
    )
