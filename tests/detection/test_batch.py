"""Batches: in order, resumable after real kills, and a bad file is a row."""

from __future__ import annotations

import contextlib
import csv
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.fixtures.forked import forked

from tumorscope import imaging
from tumorscope.cli.app import run
from tumorscope.detection.batch import run_batch
from tumorscope.detection.detector import Detector
from tumorscope.detection.find_images import find_images
from tumorscope.detection.finding import Finding
from tumorscope.detection.journal import ResultLog
from tumorscope.detection.pictures import Pictures


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty distinct pictures and two broken files."""
    folder = tmp_path_factory.mktemp("scans")
    rng = np.random.default_rng(0)
    for number in range(30):
        pixels = rng.integers(0, 256, (12, 12), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    (folder / "15-broken.png").write_bytes((folder / "15.png").read_bytes()[:200])
    (folder / "16-empty.png").write_bytes(b"")
    return folder


def identity(detector: Detector) -> dict[str, str]:
    return {"model": detector.model_id, "operating_point": detector.operating_point}


def test_rows_come_in_order_and_bad_files_are_rows(tiny_model: Path, scans: Path) -> None:
    detector = Detector.load(tiny_model)
    rows = [row.values for row in run_batch(detector, find_images([scans]))]
    assert [row["path"] for row in rows] == sorted(str(path) for path in scans.iterdir())
    decisions = Counter(str(row["decision"]) for row in rows)
    assert decisions["unreadable"] == 2
    assert decisions.total() == 32
    reasons = {Path(str(row["path"])).name: row["reasons"] for row in rows}
    assert str(reasons["16-empty.png"]).startswith("unreadable: ")
    alone = detector.detect(scans / "07.png")
    same = next(row for row in rows if str(row["path"]).endswith("07.png"))
    assert same["probability"] == pytest.approx(alone.probability, abs=1e-6)


class Counting(Detector):
    """A detector that remembers what it was asked."""

    asked: list[str]

    def detect_many(
        self, images: Iterable[imaging.Image], *, batch: int | None = None
    ) -> Iterator[Finding]:
        def noted() -> Iterator[imaging.Image]:
            for image in images:
                self.asked.append(Path(str(image)).name)
                yield image

        return super().detect_many(noted(), batch=batch)


def test_what_was_finished_is_not_computed_again(
    tiny_model: Path, scans: Path, tmp_path: Path
) -> None:
    detector = Counting.load(tiny_model)
    assert isinstance(detector, Counting)
    detector.asked = []
    who = identity(detector)
    with ResultLog(tmp_path / "log", identity=who, resume=False) as log:
        batch = run_batch(
            detector, find_images([scans]), log=log, pictures=Pictures(tmp_path / "overlays")
        )
        first = [next(batch).values for _ in range(12)]
        assert isinstance(batch, Generator)
        batch.close()
    (tmp_path / "overlays" / "03.png.png").unlink()
    detector.asked = []
    with ResultLog(tmp_path / "log", identity=who, resume=True) as log:
        rows = list(
            run_batch(
                detector, find_images([scans]), log=log, pictures=Pictures(tmp_path / "overlays")
            )
        )
    assert [row.resumed for row in rows] == [n < 12 and n != 3 for n in range(32)]
    assert set(detector.asked) == {"03.png"} | {
        Path(str(row.values["path"])).name for row in rows[12:]
    }
    assert [row.values["probability"] for row in rows[:12]] == [
        pytest.approx(row["probability"], abs=1e-6) for row in first
    ]
    assert len(list((tmp_path / "overlays").iterdir())) == 30


@pytest.mark.parametrize("where", ["reading", "preparing"])
def test_images_for_which_memory_ran_out_are_tried_again(
    tiny_model: Path, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    detector, name = Detector.load(tiny_model), scans / "01.png"
    place = {
        "reading": "tumorscope.imaging.read._grey_and_colour",
        "preparing": "tumorscope.detection.detector.prepare",
    }[where]

    def scarce(*_: object) -> None:
        raise MemoryError

    decisions = []
    for resume in (False, True, True):
        who = identity(detector)
        log = ResultLog(tmp_path / "log", identity=who, resume=resume)
        with log, monkeypatch.context() as patch:
            if not resume:
                patch.setattr(place, scarce)
            [row] = run_batch(detector, find_images([name]), log=log)
        decisions.append((row.values["decision"] == "unreadable", row.resumed))
    assert decisions == [(True, False), (False, False), (False, True)]


def test_a_copy_under_another_name_is_known_by_its_content(
    tiny_model: Path, scans: Path, tmp_path: Path
) -> None:
    detector = Detector.load(tiny_model)
    with ResultLog(tmp_path / "log", identity=identity(detector), resume=False) as log:
        list(run_batch(detector, find_images([scans / "01.png"]), log=log))
    copy = tmp_path / "copy.png"
    copy.write_bytes((scans / "01.png").read_bytes())
    with ResultLog(tmp_path / "log", identity=identity(detector), resume=True) as log:
        rows = list(run_batch(detector, find_images([copy]), log=log))
    assert rows[0].resumed
    assert rows[0].values["path"] == str(copy)


def predict_slowly(words: list[str], told: Connection) -> None:
    """Run the command slowed down, so that kills fall into its midst; tell what is finished."""
    append = ResultLog.append

    def slow(self: ResultLog, record: Mapping[str, object]) -> None:
        time.sleep(0.02)
        append(self, record)
        told.send(record["sha256"])

    ResultLog.append = slow  # type: ignore[method-assign]
    sys.exit(run(words))


def test_kills_at_random_times_lose_nothing(tiny_model: Path, scans: Path, tmp_path: Path) -> None:
    """Killed for real until it gets through; compared with a run that nobody disturbed."""

    def command(output: Path) -> list[str]:
        words = ["predict", str(scans), "--model", str(tiny_model), "-o", str(output), "--resume"]
        return [*words, "--overlays", str(output.parent / "maps"), "--quiet"]

    undisturbed = tmp_path / "a" / "findings.csv"
    assert run(command(undisturbed)) == 4
    output = tmp_path / "b" / "findings.csv"
    chance = random.Random(1)
    computed: Counter[str] = Counter()
    kills, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        process, hear = forked(predict_slowly, command(output))
        if kills < 5:
            computed[hear.recv()] += 1  # it has begun
            time.sleep(chance.uniform(0.0, 0.12))
            process.kill()
        with contextlib.suppress(EOFError):
            while True:
                computed[hear.recv()] += 1
        process.join()
        assert process.exitcode is not None
        code = process.exitcode
        kills += code == -signal.SIGKILL
    assert kills >= 3
    assert code == 4
    assert max(computed.values()) == 1, "an image that was finished was computed again"

    def table(path: Path) -> list[dict[str, str]]:
        with path.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        return [{key: row[key] for key in row if key != "ms"} for row in rows]

    assert table(output) == table(undisturbed)
    assert sorted(path.name for path in output.parent.iterdir()) == ["findings.csv", "maps"]
    assert len(list((output.parent / "maps").iterdir())) == 30
