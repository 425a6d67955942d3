"""Detector: files in, findings out, in order, a few at a time, whatever the files hold."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import tumorscope
from tumorscope.common.errors import InputError, UnreadableImageError, UsageError
from tumorscope.detection import detector as module
from tumorscope.detection.detector import LOOK_AHEAD, Detector
from tumorscope.duplicates.thumbprint import thumbprint
from tumorscope.imaging import Slice, read_slice
from tumorscope.model_file.onnx_file import read_model, write_model
from tumorscope.model_file.schema import TrainingThumbprints


def blocks(level: float, *, seed: int = 0, edge: int = 96) -> np.ndarray:
    """Noise of 8 × 8 blocks around a grey level."""
    values = np.random.default_rng(seed).normal(level, 25, (edge // 8, edge // 8))
    return np.clip(np.kron(values, np.ones((8, 8))), 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One file of every kind of answer."""
    Image.fromarray(blocks(160)).save(tmp_path / "bright.png")
    Image.fromarray(blocks(40)).save(tmp_path / "dark.png")
    Image.fromarray(blocks(100)).save(tmp_path / "middling.png")
    Image.fromarray(np.full((90, 90), 120, np.uint8)).save(tmp_path / "flat.png")
    Image.fromarray(blocks(100)[:16, :16]).save(tmp_path / "tiny.png")
    Image.fromarray(blocks(100, edge=400)[:80]).save(tmp_path / "strip.png")
    colours = np.stack([blocks(100), blocks(30, seed=1), blocks(220, seed=2)], axis=2)
    Image.fromarray(colours).save(tmp_path / "colour.jpg")
    halves = np.zeros((96, 96), np.uint8)
    halves[:, 48:] = 255
    Image.fromarray(halves).save(tmp_path / "far.png")
    (tmp_path / "empty.png").touch()
    whole = (tmp_path / "bright.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    return tmp_path


DECISIONS = {
    "bright.png": ("tumour", ()),
    "dark.png": ("no tumour", ()),
    "middling.png": ("abstain", ("uncertain",)),
    "flat.png": ("refused", ("blank",)),
    "tiny.png": ("refused", ("too-small",)),
    "strip.png": ("refused", ("not-brain-mri",)),
    "colour.jpg": ("refused", ("not-brain-mri",)),
    "far.png": ("refused", ("not-brain-mri",)),
}
BROKEN = ("empty.png", "cut.png", "absent.png")


@pytest.mark.parametrize("name", DECISIONS)
def test_each_kind_of_image_has_its_decision(tiny_model: Path, folder: Path, name: str) -> None:
    finding = Detector.load(tiny_model).detect(folder / name)
    assert (finding.decision, finding.reasons) == DECISIONS[name]
    answered = finding.decision in ("tumour", "no tumour", "abstain")
    assert (finding.probability is None) is not answered
    assert (finding.evidence is None) is not answered
    assert finding.source == str(folder / name)
    assert finding.ms > 0
    # What the rules refuse never reaches the network; what lies too far did.
    assert (finding.distance is not None) == (answered or name == "far.png")


def test_the_numbers_are_those_of_the_graph(tiny_model: Path, folder: Path) -> None:
    detector = Detector.load(str(tiny_model))
    scan = read_slice(folder / "bright.png")
    finding = detector.detect(scan)
    assert finding.evidence is not None
    assert finding.evidence.shape == detector.metadata.grid
    logit = (scan.pixels.mean() - 100) / 10
    assert finding.logit == pytest.approx(logit, abs=0.05)
    assert finding.evidence.sum() + finding.bias == pytest.approx(finding.logit, abs=1e-3)
    assert finding.probability == pytest.approx(1 / (1 + np.exp(-0.8 * finding.logit - 0.1)))
    assert finding.model == detector.model_id == detector.metadata.id
    assert finding.prediction_set == ("tumour",)


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_read_raises_alone_and_is_a_row_among_many(
    tiny_model: Path, folder: Path, name: str
) -> None:
    detector = Detector.load(tiny_model)
    with pytest.raises(UnreadableImageError, match=name):
        detector.detect(folder / name)
    first, broken, last = detector.detect_many(
        [folder / "bright.png", folder / name, folder / "dark.png"], batch=3
    )
    assert (first.decision, last.decision) == ("tumour", "no tumour")
    assert broken.decision == "unreadable"
    (reason,) = broken.reasons
    assert reason.startswith("unreadable: ")
    assert ";" not in reason
    assert "\n" not in reason
    assert name not in reason  # the path has a column of its own
    assert broken.probability is None


@pytest.mark.parametrize("batch", [None, 1, 2, 5])
@pytest.mark.parametrize("threads", [1, 3])
def test_many_give_what_each_gives_alone_in_their_order(
    tiny_model: Path, folder: Path, batch: int | None, threads: int
) -> None:
    names = [*DECISIONS, *BROKEN] * 4
    np.random.default_rng(0).shuffle(names)
    detector = Detector.load(tiny_model, threads=threads)
    findings = list(detector.detect_many((folder / name for name in names), batch=batch))
    assert [Path(finding.source).name for finding in findings] == names
    for name, finding in zip(names, findings, strict=True):
        if name in BROKEN:
            assert finding.decision == "unreadable"
            continue
        alone = detector.detect(folder / name)
        assert (finding.decision, finding.reasons) == DECISIONS[name]
        if alone.probability is not None and alone.evidence is not None:
            assert finding.probability == pytest.approx(alone.probability, abs=1e-5)
            assert finding.evidence is not None
            np.testing.assert_allclose(finding.evidence, alone.evidence, atol=1e-5)


@pytest.mark.parametrize("batch", [None, 3])
def test_read_together_they_have_the_same_findings(
    tiny_model: Path, folder: Path, batch: int | None
) -> None:
    detector = Detector.load(tiny_model)
    images = [folder / name for name in (*DECISIONS, *BROKEN)]
    together = detector.detect_together(images, batch=batch)
    for found, other in zip(together, detector.detect_many(images, batch=batch), strict=True):
        for name in ("source", "decision", "probability", "reasons", "seen", "logit", "unreadable"):
            assert getattr(found, name) == getattr(other, name)
    assert all(found.ms > 0 for found in together)
    assert detector.detect_together([]) == []


def test_slices_and_paths_may_be_mixed_and_none_is_none(tiny_model: Path, folder: Path) -> None:
    detector = Detector.load(tiny_model)
    scan = Slice(blocks(160), "in memory")
    findings = list(detector.detect_many([scan, str(folder / "dark.png")]))
    assert [finding.source for finding in findings] == ["in memory", str(folder / "dark.png")]
    assert list(detector.detect_many([])) == []


@pytest.mark.parametrize("batch", [1, 4])
def test_only_a_few_are_read_ahead(tiny_model: Path, batch: int) -> None:
    """So memory does not grow with the number of files."""
    taken = 0
    scan = Slice(blocks(160), "again")

    def endless() -> Iterator[Slice]:
        nonlocal taken
        while True:
            taken += 1
            yield scan

    findings = Detector.load(tiny_model, threads=2).detect_many(endless(), batch=batch)
    assert taken == 0
    for count in range(1, 60):
        next(findings)
        assert taken <= count + (LOOK_AHEAD * 2 + 1) * batch
    findings.close()  # type: ignore[attr-defined]


def test_leaving_early_ends_the_threads(tiny_model: Path, folder: Path) -> None:
    findings = Detector.load(tiny_model).detect_many([folder / "bright.png"] * 200)
    next(findings)
    findings.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 5
    while any(each.name.startswith("tumorscope") for each in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_fault_in_the_source_of_paths_is_not_swallowed(tiny_model: Path, folder: Path) -> None:
    def failing() -> Iterator[Path]:
        yield folder / "bright.png"
        raise OSError("the list of files is gone")

    with pytest.raises(OSError, match="is gone"):
        list(Detector.load(tiny_model).detect_many(failing()))


def test_threads_may_share_a_detector(tiny_model: Path, folder: Path) -> None:
    detector = Detector.load(tiny_model)
    wrong: list[Any] = []

    def work() -> None:
        for _ in range(20):
            for name in ("bright.png", "dark.png"):
                if detector.detect(folder / name).decision != DECISIONS[name][0]:
                    wrong.append(name)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_opencv_has_no_threads_beside_those_of_the_detector(tiny_model: Path, folder: Path) -> None:
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(2)
        Detector.load(tiny_model).detect(folder / "bright.png")
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)


def test_operating_points_decide(tiny_model: Path) -> None:
    # A probability of 0.65: above the threshold of two, below that of the third.
    scan = Slice(np.clip(blocks(100) + 0.0, 0, 255).astype(np.uint8), "between")
    level = scan.pixels.mean()
    wanted = 100 + 10 * (np.log(0.65 / 0.35) - 0.1) / 0.8
    scan = Slice(np.clip(scan.pixels + (wanted - level), 0, 255).astype(np.uint8), "between")
    said = {
        name: Detector.load(tiny_model, operating_point=name).detect(scan)
        for name in ("screening", "balanced", "specific")
    }
    assert 0.6 < (said["balanced"].probability or 0) < 0.7
    assert said["balanced"].decision == said["screening"].decision == "tumour"
    # Its set held "tumour" alone, which the threshold does not permit: no answer, not the other.
    assert said["specific"].decision == "abstain"
    assert said["specific"].prediction_set == ("no tumour", "tumour")
    assert {name: finding.zone for name, finding in said.items()} == {
        "screening": (0.2, 0.6),
        "balanced": (0.4, 0.6),
        "specific": (0.4, 0.8),
    }
    assert {finding.threshold for finding in said.values()} == {0.2, 0.5, 0.8}
    assert said["specific"].operating_point == "specific"


@pytest.fixture
def model_that_saw(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model, as if trained on the bright picture and two others."""
    model = read_model(tiny_model)
    seen = np.stack([thumbprint(Slice(blocks(160, seed=seed), "seen")) for seed in range(3)])
    metadata = model.metadata.model_copy(update={"seen": TrainingThumbprints.pack(seen)})
    return write_model(tmp_path / "saw.onnx", model.graph, metadata).path


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("mirrored", [False, True])
def test_seen_images_are_flagged_after_jpeg_and_shrinking(
    model_that_saw: Path, tmp_path: Path, many: bool, mirrored: bool
) -> None:
    pixels = blocks(160, edge=160)  # the same blocks count whatever their number
    small = Image.fromarray(blocks(160))
    copy = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else small
    copy.resize((58, 58)).save(tmp_path / "copy.jpg", quality=60)
    Image.fromarray(blocks(160, seed=9)).save(tmp_path / "other.png")
    Image.fromarray(pixels).save(tmp_path / "different.png")
    detector = Detector.load(model_that_saw)
    paths = [tmp_path / "copy.jpg", tmp_path / "other.png", tmp_path / "different.png"]
    found = list(detector.detect_many(paths)) if many else [detector.detect(p) for p in paths]
    assert [finding.seen for finding in found] == [True, False, False]
    assert found[0].reasons == ("seen",)
    assert found[0].decision == "tumour"
    assert found[1].reasons == ()


def test_an_unknown_engine_point_or_number_is_a_usage_error(tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="Unknown operating point 'best'"):
        Detector.load(tiny_model, operating_point="best")
    with pytest.raises(UsageError, match="at least 1"):
        Detector.load(tiny_model, threads=0)
    with pytest.raises(UsageError, match="batch = 0"):
        Detector.load(tiny_model).detect_many([], batch=0)
    with pytest.raises(UsageError, match="Unknown engine"):
        Detector.load(tiny_model, engine="abacus").detect(Slice(blocks(160), "any"))


def test_an_installation_without_a_model_says_so(
    monkeypatch: pytest.MonkeyPatch, tiny_model: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "PACKAGED", tmp_path / "absent.onnx")
    with pytest.raises(InputError, match=r"No model was given.*--model PATH"):
        Detector.load()
    monkeypatch.setattr(module, "PACKAGED", tiny_model)
    assert Detector.load().metadata.name == "tiny"


@pytest.mark.parametrize("engine", ["openvino", "litert"])
def test_other_engines_find_the_same(
    request: pytest.FixtureRequest, tiny_model: Path, folder: Path, engine: str
) -> None:
    paths = [folder / name for name in DECISIONS]
    other = Detector.load(request.getfixturevalue(f"tiny_{engine}"))
    for one, two in zip(
        Detector.load(tiny_model).detect_many(paths), other.detect_many(paths), strict=True
    ):
        assert (one.decision, one.reasons) == (two.decision, two.reasons)
        assert one.probability == (
            None if two.probability is None else pytest.approx(two.probability, abs=1e-4)
        )


def test_the_detector_is_in_the_api() -> None:
    assert tumorscope.Detector is Detector
    assert "Finding" in tumorscope.__all__


def test_nothing_heavy_is_loaded_to_detect(tiny_model: Path, folder: Path) -> None:
    import subprocess

    heavy = ("keras", "tensorflow", "onnx", "scipy", "sklearn", "matplotlib", "pandas", "openvino")
    code = (
        "import sys, tumorscope as ts; ts.Detector.load(sys.argv[1]).detect(sys.argv[2]); "
        f"sys.exit(str([m for m in {heavy!r} if m in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny_model), str(folder / "bright.png")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.strip() == "[]"
