"""The answer as a table, and as a page of its own, as ``tumorscope predict`` writes them."""

from __future__ import annotations

import json
from pathlib import Path, PurePath
from typing import Literal, cast

from tumorscope.detection.detector import Detector
from tumorscope.detection.evidence import temperature_of
from tumorscope.detection.find_images import Found
from tumorscope.detection.page import open_page
from tumorscope.detection.pictures import THUMBNAILS
from tumorscope.detection.records import Result
from tumorscope.detection.series_tables import SERIES_COLUMNS, SLICE_COLUMNS
from tumorscope.detection.tables import FINDING_COLUMNS, NESTED, open_table
from tumorscope.detection.thumbnail import thumbnail
from tumorscope.serving.http.pictures import KIND, Kept, kept
from tumorscope.serving.http.problems import Problem
from tumorscope.serving.http.store import FINDING

Of = Literal["pictures", "series", "slices"]
Row = dict[str, object]

COLUMNS = {"pictures": FINDING_COLUMNS, "series": SERIES_COLUMNS, "slices": SLICE_COLUMNS}


def answer_in(place: Path) -> dict[str, object]:
    """Return the answer that lies in the folder of a request.

    Raises
    ------
    Problem
        409, if it failed, so that it has no rows.
    """
    document: dict[str, object] = json.loads((place / FINDING).read_text("utf-8"))
    if document["state"] != "done":
        raise Problem(
            409,
            received="Received a request for results of files on which the work failed.",
            expected="Expected the id of findings whose state is “done”.",
            what_to_do="GET /v1/findings/{id} says why it failed.",
        )
    return document


def write_table(place: Path, ending: Literal["csv", "jsonl"], of: Of | None) -> Path:
    """Write a table of the answer into its folder, if it is not there yet, and return where.

    Raises
    ------
    Problem
        409, if the answer holds both pictures and series, and `of` does not say which are meant.
    """
    rows = _rows_by_kind(answer_in(place))
    chosen = _chosen(rows, of)
    path = place / f"table-{chosen}.{ending}"
    if not path.exists():
        with open_table(path, columns=COLUMNS[chosen]) as write:
            for row in rows[chosen]:
                write(row)
    return path


def report_page(place: Path, detector: Detector, of: Of | None) -> Path:
    """Return where the page of the answer lies, which is written when first asked for.

    Raises
    ------
    Problem
        409, see `write_table`.
    """
    document = answer_in(place)
    chosen = _chosen(_rows_by_kind(document), of)
    if chosen != "pictures":
        return place / "study.html"
    path = place / "pictures.html"
    if not path.exists():
        _write_page(path, document, detector)
    return path


def _write_page(path: Path, document: dict[str, object], detector: Detector) -> None:
    how = detector.metadata.preprocessing.preprocessing
    temperature = temperature_of(detector.metadata)
    rows, items = _lists(document)
    with open_page(path, detector) as page:
        for number, (row, item) in enumerate(zip(rows, items, strict=True)):
            if item[KIND] != "picture":
                continue
            found = Found(Path(str(row["path"])), PurePath(str(number)))
            shown = _kept(path.parent, item, detector)
            small = None
            if shown.finding.decision != "unreadable" and number < THUMBNAILS:
                small = thumbnail(shown.slice(), shown.finding, how, temperature=temperature)
            page.add(Result(found, row, resumed=False, finding=shown.finding, thumbnail=small))


def _kept(place: Path, item: Row, detector: Detector) -> Kept:
    return kept(place, cast(int, item["first_picture"]), zone=detector.zone)


def _lists(document: dict[str, object]) -> tuple[list[Row], list[Row]]:
    return cast(list[Row], document["rows"]), cast(list[Row], document["items"])


def _rows_by_kind(document: dict[str, object]) -> dict[Of, list[Row]]:
    rows, items = _lists(document)
    found: dict[Of, list[Row]] = {"pictures": [], "series": [], "slices": []}
    for row, item in zip(rows, items, strict=True):
        if item[KIND] == "picture":
            found["pictures"].append(row)
            continue
        found["series"].append(row)
        found["slices"] += cast(list[Row], row[NESTED]) or ([row] if item[KIND] != "series" else [])
    return found


def _chosen(rows: dict[Of, list[Row]], of: Of | None) -> Of:
    held: list[Of] = [each for each in ("pictures", "series") if rows[each]]
    if of is None and len(held) > 1:
        raise Problem(
            409,
            received="Received a request for one table or page of both pictures and series.",
            expected="Expected ?of=pictures, ?of=series or ?of=slices.",
            what_to_do="Ask for each in turn: they have columns of their own.",
        )
    if of is not None:
        if not rows[of]:
            raise Problem(
                404,
                received=f"Received a request for {of} of an answer that holds none.",
                expected=f"Expected ?of={held[0] if held else 'pictures'}.",
                what_to_do="Leave it out where there is one kind.",
            )
        return of
    return held[0] if held else "pictures"
