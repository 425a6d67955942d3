"""One answer for every command: is this a copy of what the model was trained on?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tumorscope.detection.detector import Detector
from tumorscope.detection.seen import SeenImages
from tumorscope.duplicates import thumbprint, thumbprint_v1
from tumorscope.duplicates.enrolment import remembered
from tumorscope.duplicates.mark_sets import MarkSets
from tumorscope.duplicates.same_pixels import digest_of
from tumorscope.imaging import Slice, prepare, read_slice
from tumorscope.model_file.onnx_file import write_model
from tumorscope.model_file.other_formats import read_any
from tumorscope.model_file.schema import Prints, TrainingThumbprints
from tumorscope.synthetic.phantom import write_phantom_cohort


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> list[Slice]:
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantom_cohort(folder, n=6, seed=8)
    return [read_slice(path) for path in sorted(folder.rglob("*.png"))]


def turned(scan: Slice) -> Slice:
    return Slice(np.ascontiguousarray(np.rot90(scan.pixels)), "turned")


def test_prints_of_all_versions_are_asked(phantoms: list[Slice]) -> None:
    new = TrainingThumbprints.of([remembered(scan) for scan in phantoms[:2]])
    old = Prints.pack(np.stack([thumbprint.thumbprint(phantoms[2])]))
    oldest = Prints.pack(np.stack([thumbprint_v1.thumbprint(phantoms[3])]))
    known = SeenImages(new.model_copy(update={"inherited": (old, oldest)}))
    assert known.count == 4
    assert [known.holds(turned(scan)) for scan in phantoms] == [True] * 4 + [False] * 2


def test_a_model_that_was_told_to_keep_nothing_says_only_what_it_inherited(
    phantoms: list[Slice],
) -> None:
    inherited = TrainingThumbprints.of([remembered(phantoms[0])])
    known = SeenImages(TrainingThumbprints(withheld=True, inherited=(inherited,)))
    assert known.count == 0
    assert [known.holds(scan) for scan in phantoms[:2]] == [True, None]
    assert SeenImages(TrainingThumbprints(withheld=True)).holds(phantoms[0]) is None


def test_a_model_that_knows_no_image_cannot_tell(
    phantoms: list[Slice], tiny_model: Path, tmp_path: Path
) -> None:
    assert SeenImages(TrainingThumbprints()).holds(phantoms[0]) is None
    model = read_any(tiny_model)
    bare = model.metadata.model_copy(update={"seen": TrainingThumbprints()})
    detector = Detector(write_model(tmp_path / "bare.onnx", model.graph, bare))
    finding = detector.detect(phantoms[0])
    assert finding.seen is None
    assert "seen" not in finding.reasons


def test_framed_cropped_and_turned_copies_are_told_by_predict(
    phantoms: list[Slice], tiny_model: Path, tmp_path: Path
) -> None:
    model = read_any(tiny_model)
    seen = TrainingThumbprints.of([remembered(scan) for scan in phantoms[:3]])
    metadata = model.metadata.model_copy(update={"seen": seen})
    detector = Detector(write_model(tmp_path / "model.onnx", model.graph, metadata))
    pixels = phantoms[0].pixels
    height, width = pixels.shape
    tenth = (slice(height // 20, -(height // 20)), slice(width // 20, -(width // 20)))
    for copy in (np.pad(pixels, 20), pixels[tenth], np.rot90(pixels), pixels[::-1]):
        assert detector.detect(Slice(np.ascontiguousarray(copy), "copy")).seen is True
    assert detector.detect(phantoms[4]).seen is False


def test_the_very_picture_is_known_by_what_the_network_is_given(
    phantoms: list[Slice], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = read_any(tiny_model)
    how = model.metadata.preprocessing.preprocessing
    marks = [remembered(scan) for scan in phantoms[:3]]
    seen = TrainingThumbprints.of(marks)
    digests = [digest_of(prepare(scan, how)) for scan in phantoms[:3]]
    asked = [*phantoms, turned(phantoms[0])]
    answers = []
    for known in (seen, TrainingThumbprints.of(marks, digests)):
        metadata = model.metadata.model_copy(update={"seen": known})
        detector = Detector(write_model(tmp_path / "model.onnx", model.graph, metadata), threads=1)
        answers.append([found.seen for found in detector.detect_many(asked)])
    assert answers[0] == answers[1] == [True] * 3 + [False] * 3 + [True]
    looked: list[int] = []

    def holds(_: MarkSets, found: np.ndarray) -> bool:
        looked.append(len(found))
        return False

    monkeypatch.setattr(MarkSets, "holds", holds)
    assert detector.detect(phantoms[1]).seen
    assert not looked
    detector.detect(phantoms[4])
    assert looked == [196]
