"""A batch on Ray: the rows of `predict`, once, whatever happens to workers and files."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from pyarrow import parquet

from tumorscope.cli.app import run
from tumorscope.common.errors import InputError
from tumorscope.common.ray_cluster import connected
from tumorscope.detection.detector import Detector
from tumorscope.detection.find_images import find_images
from tumorscope.detection.outputs import Outputs, open_results
from tumorscope.detection.ray_batch import detect_on_ray
from tumorscope.detection.ray_batch.crew import Crew
from tumorscope.detection.ray_batch.listing import list_entries
from tumorscope.detection.ray_batch.parts import Part, parts_of
from tumorscope.detection.ray_batch.store import Counts, Store, counts_of, table_bytes
from tumorscope.detection.ray_batch.worker import Worker
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.synthetic.phantom import write_phantom_cohort

ray = pytest.importorskip("ray", reason="the extra “ray” is not installed")


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[Any]:
    """Ray, started once: every batch finds it there and leaves it running."""
    with connected("local", workers=2) as module:
        yield module


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scans")
    write_phantom_cohort(folder / "made", n=24, seed=3, duplicates=0)
    made = folder / "made"
    (made / "broken.png").write_bytes(b"no image")
    # Names decide where parts end, and that of the folder for temporary files may make one of all.
    while len([*parts_of(list_entries([made], PassedOver()), "", usual=4)]) < 3:
        made = made.rename(folder / f"{made.name}-more")
    return made


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load(threads=1)


def rows_in(place: Path, tables: list[str]) -> list[dict[str, object]]:
    return [
        {name: value for name, value in row.items() if name != "ms"}
        for name in tables
        for row in parquet.read_table(place / name).to_pylist()
    ]


@pytest.fixture(scope="module")
def batch(scans: Path, detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Any:
    place = tmp_path_factory.mktemp("out") / "tables"
    return detect_on_ray([scans], output=place, detector=detector, workers=2, usual=4)


def test_rows_are_those_of_one_machine_in_the_same_order(
    batch: Any, scans: Path, detector: Detector, tmp_path: Path
) -> None:
    table = tmp_path / "one.parquet"
    with open_results(
        detector, find_images([scans]), outputs=Outputs(table=table), named=[scans], resume=False
    ) as results:
        list(results)
    assert len(batch.tables) > 1
    found = rows_in(Path(batch.place), batch.tables)
    assert found == rows_in(table.parent, [table.name])
    assert batch.rows == len(found) == 25
    assert batch.decisions["unreadable"] == 1


def test_a_second_run_computes_nothing_and_a_changed_file_its_part(
    batch: Any, scans: Path, detector: Detector, tmp_path: Path
) -> None:
    place = shutil.copytree(batch.place, tmp_path / "tables")
    before = {name: (place / name).stat().st_mtime_ns for name in batch.tables}
    (place / ".part-1-abcdefgh.partial.parquet").touch()  # as a kill leaves it
    again = detect_on_ray([scans], output=place, detector=detector, workers=1, usual=4)
    assert (again.kept, again.rows, again.tables) == (batch.rows, batch.rows, batch.tables)
    assert before == {name: (place / name).stat().st_mtime_ns for name in batch.tables}
    with pytest.raises(InputError, match=r"holds another batch\. Different: .*files_of_a_part"):
        detect_on_ray([scans], output=place, detector=detector, usual=5)


def test_a_damaged_table_is_named(
    batch: Any, scans: Path, detector: Detector, tmp_path: Path
) -> None:
    place = shutil.copytree(batch.place, tmp_path / "tables")
    (place / batch.tables[1]).write_bytes(b"PAR1")
    with pytest.raises(InputError, match=rf"{batch.tables[1]} .* is damaged"):
        detect_on_ray([scans], output=place, detector=detector, workers=1, usual=4)


def test_a_place_with_other_files_is_refused(scans: Path, detector: Detector) -> None:
    with pytest.raises(InputError, match="holds other files"):
        detect_on_ray([scans], output=scans.parent, detector=detector)


class Fragile(Worker):
    """Ends its process at a certain file, or once at the first part."""

    def answer(self, entries: Any) -> Any:
        mark = Path(self._store.place) / "ended-once"
        if not mark.exists():
            mark.touch()
            os._exit(1)
        if any(entry.path.endswith("broken.png") for entry in entries):
            os._exit(1)
        return super().answer(entries)


def test_a_killed_worker_loses_nothing_and_a_fatal_file_is_a_row(
    cluster: Any,
    scans: Path,
    detector: Detector,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Remote(Fragile):
        def __init__(self, shared: tuple[Detector, Store, str]) -> None:
            super().__init__(*shared[:2])

    # The workers cannot import this file.
    cluster.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.setattr("tumorscope.detection.ray_batch.crew._Remote", Remote)
    store = Store(str(tmp_path))
    crew = Crew(cluster, detector, store, workers=2)
    parts: list[Part] = list(parts_of(list_entries([scans], PassedOver()), "", usual=4))
    for part in parts:
        crew.begin(part)
    for part in parts:
        counts = crew.wait_for(part)
        assert counts == counts_of(store.read(part.table))
        assert counts.rows == len(part.entries)
    [fatal] = [
        row
        for row in rows_in(tmp_path, [part.table for part in parts])
        if row["decision"] == "unreadable"
    ]
    assert "the process that read it ended" in str(fatal["reasons"])


def test_a_column_without_values_has_its_type(detector: Detector, tmp_path: Path) -> None:
    [entry] = list_entries([tmp_path / "gone.png"], PassedOver())
    rows = Worker(detector, Store(str(tmp_path))).answer([entry])
    (tmp_path / "t.parquet").write_bytes(table_bytes(rows))
    schema = parquet.read_schema(tmp_path / "t.parquet")
    assert str(schema.field("probability").type) == "double"
    assert counts_of((tmp_path / "t.parquet").read_bytes()) == Counts({"unreadable": 1}, seen=0)


def test_images_known_from_training_are_counted_in_the_column() -> None:
    rows = [{"decision": "tumour", "seen": seen} for seen in (True, False, None, True)]
    assert counts_of(table_bytes(rows)) == Counts({"tumour": 4}, seen=2)


def test_addresses_give_the_rows_of_files(scans: Path, detector: Detector) -> None:
    worker = Worker(detector, Store("unused"))
    local = worker.answer(list(list_entries([scans], PassedOver())))
    remote = worker.answer(list(list_entries([f"file://{scans}"], PassedOver())))
    for one, other in zip(local, remote, strict=True):
        for name in ("decision", "probability", "logit", "sha256", "seen"):
            assert one[name] == other[name]
        assert other["path"] == f"file://{one['path']}"


def test_the_command_writes_tables_and_counts_them(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "tables"
    words = ["predict", str(scans), "-o", str(place), "--ray", "local", "--workers", "2", "--json"]
    assert run(words) == 4  # one file cannot be read
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["computed_before"]) == (25, 0)
    assert {path.name for path in place.iterdir()} == {"batch.json", *told["tables"]}
    assert told["seen"] == 0
    first = place / told["tables"][0]
    known = [{**row, "seen": True} for row in parquet.read_table(first).to_pylist()]
    first.write_bytes(table_bytes(known))
    assert run(words) == 4
    again, said = capsys.readouterr()
    assert (json.loads(again)["computed_before"], json.loads(again)["seen"]) == (25, len(known))
    assert f"Known from training: {len(known)}." in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "received no -o"),
        (["-o", "t.csv"], "-o t.csv"),
        (["-o", "t", "--overlays", "o"], "--overlays with --ray"),
        (["-o", "t", "--window", "dicom"], "--window with --ray"),
    ],
)
def test_what_a_cluster_does_not_do_is_refused(
    scans: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", str(scans), "--ray", "local", *words]) == 2
    assert said.lower() in capsys.readouterr().err.lower()


class CountedCards:
    """A cluster that has so many graphics cards, and notes what actors ask for."""

    def __init__(self, cards: int) -> None:
        self.cards, self.asked = cards, list[dict[str, int]]()

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 8.0, "GPU": float(self.cards)}

    def put(self, value: object) -> object:
        return value

    def remote(self, **asked: int) -> Any:
        self.asked.append(asked)
        return MagicMock()

    def get(self, _: object) -> str:
        return version("tumorscope")


def test_workers_on_graphics_cards_have_one_each(
    detector: Detector,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = Store(str(tmp_path))
    Crew(on_cores := CountedCards(2), detector, store)
    assert on_cores.asked == [{"num_cpus": 1}] * 8
    # The eight that are too many would wait for a core for ever, with images in hand.
    Crew(few_cores := CountedCards(2), detector, store, workers=16)
    assert few_cores.asked == on_cores.asked
    assert "has 8 cores, so 8 of 16 workers start" in capsys.readouterr().err
    monkeypatch.setattr(Detector, "engine", "cuda")
    Crew(on_cards := CountedCards(2), detector, store)
    assert on_cards.asked == [{"num_cpus": 1, "num_gpus": 1}] * 2
    for cards, workers in (("0 graphics cards", None), ("1 graphics card", 3)):
        with pytest.raises(InputError, match=f"has {cards} for .*one card for each"):
            Crew(CountedCards(int(cards[0])), detector, store, workers=workers)
