"""What a report is on, read as data; as words only where an older version wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tumorscope.detection.detector import PACKAGED
from tumorscope.records.reported import Reported

SHA = "ab" * 32


def test_it_is_read_as_it_was_written() -> None:
    document = {
        "title": "whatever it is called",
        "kind": "external testing",
        "subject": "runs/a",
        "data": "other hospital",
        "data_sha256": SHA,
        "detector": {"model": "a@0123"},
        "command": "tumorscope evaluate runs/b elsewhere -o x",
    }
    assert Reported.of(document) == Reported(
        "external testing", Path("runs/a"), Path("other hospital"), SHA, "a@0123"
    )
    own = Reported.of(document | {"kind": "internal testing", "data": "", "detector": None})
    assert (own.data, own.model) == (None, "")


@pytest.mark.parametrize(
    ("title", "command", "subject", "data"),
    [
        (
            "External testing of the recipe “a” on b",
            "tumorscope train RUN/manifest.csv -o RUN\ntumorscope evaluate RUN 'my data' -o x",
            "runs/a",
            "my data",
        ),
        ("Internal testing of the recipe “a”", "tumorscope evaluate runs/a -o x", "", None),
    ],
)
def test_so_is_that_of_an_older_version(
    title: str, command: str, subject: str, data: str | None
) -> None:
    document = {"title": title, "command": command, "subject": subject, "data_sha256": SHA}
    found = Reported.of(document)
    assert found.kind == f"{title[:8].lower()} testing"
    assert found.subject == Path("runs/a")  # as it says, or from its command
    assert found.data == (None if data is None else Path(data))


def test_the_packaged_model_is_known_by_its_name() -> None:
    assert Reported.of({"kind": "external testing", "subject": "packaged"}).subject == PACKAGED


def test_what_is_no_evaluation_is_none() -> None:
    assert Reported.of({}) == Reported("", None, None, "", "")
    crossval = Reported.of({"title": "Cross-validation of the recipe “a”", "command": "tumorscope"})
    assert (crossval.kind, crossval.subject) == ("cross-validation", None)
