"""The shapes of answers, for the OpenAPI document: answers are written by hand, not through these.

A model that writes answers turns a number that is none into null; `documents.as_json` refuses it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from tumorscope.common.notice import RESEARCH_USE_ONLY

PICTURE_ROW = {
    "path": "scan.jpg",
    "probability": 0.97,
    "decision": "tumour",
    "reasons": "",
    "seen": False,
    "model": "tumorscope-1 0123456789ab",
    "ms": 11.2,
    "operating_point": "balanced",
    "threshold": 0.5,
    "prediction_set": "tumour",
    "distance": 4.1,
    "logit": 3.2,
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}


class ProblemDocument(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = Field(description="All of it in one paragraph.")
    received: str
    expected: str
    what_to_do: str


class Item(BaseModel):
    """What people see of the row at the same place."""

    kind: Literal["picture", "series", "not-read"]
    words: str = Field(description="The finding in sentences.")
    first_picture: int = Field(description="Number of its first picture.")
    pictures: int = Field(description="How many it has: 1, or the slices of a series.")
    key_pictures: list[int] | None = Field(None, description="Those that carry the answer.")
    positions: list[float] | None = Field(None, description="Of its slices, in mm.")
    curve: dict[str, object] | None = Field(None, description="Drawing of 640 × 150.")
    places: list[float] | None = Field(None, description="x of its slices in that drawing.")
    remarks: list[str] | None = None
    not_read: list[str] | None = None


class Findings(BaseModel):
    """A request for findings, and once its state is “done” the answer."""

    id: str
    state: Literal["queued", "running", "done", "failed"]
    notice: str
    created: str
    files: int
    looked_at: int = Field(description="Pictures and slices that are finished.")
    total: int | None = Field(description="How many there are, as far as that is known.")
    finished: str | None = None
    expires: str | None = Field(None, description="When it is deleted.")
    model: str | None = None
    operating_point: str | None = None
    decisions: dict[str, int] | None = None
    rows: list[dict[str, object]] | None = Field(
        None, description="As the lines of tumorscope predict -o FILE.jsonl."
    )
    items: list[Item] | None = Field(None, description="One for each row.")
    problem: ProblemDocument | None = Field(None, description="Why it failed.")


class ModelDocument(BaseModel):
    """The model that answers, and what the service takes."""

    notice: str
    version: str
    model: str
    name: str
    created: str
    engine: str
    operating_point: str
    zone: list[float] = Field(description="Between which probabilities there is no answer.")
    thresholds: dict[str, float]
    series: bool = Field(description="Whether it holds a rule for series.")
    looks_for_known_images: bool
    limits: dict[str, float | None]


class Health(BaseModel):
    """Whether the service works."""

    status: Literal["ok"]


EXAMPLE = {
    "id": "0f" * 16,
    "state": "done",
    "notice": RESEARCH_USE_ONLY,
    "created": "2026-01-01T12:00:00Z",
    "files": 1,
    "looked_at": 1,
    "total": 1,
    "finished": "2026-01-01T12:00:01Z",
    "expires": "2026-01-01T13:00:01Z",
    "model": PICTURE_ROW["model"],
    "operating_point": "balanced",
    "decisions": {"tumour": 1},
    "rows": [PICTURE_ROW],
    "items": [
        {
            "kind": "picture",
            "words": "The model finds signs of a tumour.",
            "first_picture": 0,
            "pictures": 1,
        }
    ],
}

WAITS = {**{key: EXAMPLE[key] for key in ("id", "notice", "created", "files")}, "state": "queued"}
WAITS |= {"looked_at": 0, "total": 1}

_BINARY = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "files": {"type": "array", "items": _BINARY["schema"], "minItems": 1}
                    },
                    "required": ["files"],
                }
            },
            "application/dicom": _BINARY,
            "application/octet-stream": _BINARY,
            "application/zip": _BINARY,
            "image/jpeg": _BINARY,
            "image/png": _BINARY,
        },
    }
}
"""What POST takes, for the document: FastAPI itself never reads the body."""
