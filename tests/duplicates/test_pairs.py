"""Copies are found whatever was done to them; different heads stay apart."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tumorscope.common.sets import Sets
from tumorscope.duplicates.normalised_head import NormalisedHead, normalised_head
from tumorscope.duplicates.pairs import SAME_PICTURE, matching, near_pairs
from tumorscope.imaging import Slice, read_slice

Pixels = NDArray[np.uint8]
Head = Callable[..., Pixels]


def of(pixels: Pixels) -> Slice:
    return Slice(np.ascontiguousarray(pixels), "test")


def tilted(pixels: Pixels, angle: float) -> Pixels:
    height, width = pixels.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    return cv2.warpAffine(pixels, matrix, (width, height))


def recoded(pixels: Pixels, quality: int) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer))


def cropped(pixels: Pixels, top: float, bottom: float, left: float, right: float) -> Pixels:
    height, width = pixels.shape
    return pixels[
        int(top * height) : height - int(bottom * height),
        int(left * width) : width - int(right * width),
    ]


def curve(pixels: Pixels, power: float) -> Pixels:
    return np.rint(255.0 * (pixels / 255.0) ** power).astype(np.uint8)


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "re-encoded": lambda p: recoded(p, 25),
    "smaller": lambda p: resized(p, 100, 100),
    "larger": lambda p: cv2.resize(p, (500, 500), interpolation=cv2.INTER_CUBIC),
    "stretched": lambda p: resized(p, 224, 180),
    "cropped": lambda p: cropped(p, 0.1, 0.12, 0.15, 0.1),
    "cropped into the head": lambda p: cropped(p, 0.16, 0.12, 0.22, 0.2),
    "white border": lambda p: np.pad(p, 12, constant_values=255),
    "grey border": lambda p: np.pad(p, ((30, 4), (9, 20)), constant_values=120),
    "black border": lambda p: np.pad(p, ((60, 60), (0, 90))),
    "mirrored": lambda p: p[:, ::-1],
    "upside down": lambda p: p[::-1],
    "90°": lambda p: np.rot90(p),
    "180°": lambda p: np.rot90(p, 2),
    "270° mirrored": lambda p: np.rot90(p, 3)[:, ::-1],
    "15°": lambda p: tilted(p, 15),
    "-15°": lambda p: tilted(p, -15),
    "-4°": lambda p: tilted(p, -4),
    "brighter": lambda p: curve(p, 0.5),
    "darker": lambda p: curve(p, 2.0),
    "more contrast": lambda p: np.clip(p * 1.6 - 20, 0, 255).astype(np.uint8),
    "locally equalised": lambda p: cv2.createCLAHE(3.0).apply(np.ascontiguousarray(p)),
    "dim and flat": lambda p: (p * 0.5 + 30).astype(np.uint8),
    "with a banner": lambda p: np.concatenate([np.full((20, p.shape[1]), 200, np.uint8), p]),
    "everything": lambda p: recoded(curve(resized(tilted(p[:, ::-1], 9), 160, 150), 0.8), 50),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_copy_is_found_among_heads_that_look_alike(
    head: Head, change: Callable[[Pixels], Pixels]
) -> None:
    heads = [normalised_head(of(head(seed))) for seed in range(12)]
    copies = [normalised_head(of(change(head(seed)))) for seed in (2, 7)]
    assert matching(copies, heads) == {0: [2], 1: [7]}


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 11),
    angle=st.floats(-15, 15),
    turn=st.integers(0, 3),
    mirrored=st.booleans(),
    power=st.floats(0.6, 1.7),
    edge=st.integers(110, 400),
    border=st.integers(0, 30),
)
def test_any_mixture_of_changes_leads_back_to_its_picture(
    head: Head,
    seed: int,
    angle: float,
    turn: int,
    mirrored: bool,
    power: float,
    edge: int,
    border: int,
) -> None:
    pixels = np.rot90(tilted(head(seed), angle), turn)
    pixels = pixels[:, ::-1] if mirrored else pixels
    pixels = resized(np.pad(curve(pixels, power), border), edge, edge)
    heads = [normalised_head(of(head(number))) for number in range(12)]
    assert matching([normalised_head(of(pixels))], heads) == {0: [seed]}


def test_different_heads_do_not_merge(head: Head) -> None:
    assert near_pairs([normalised_head(of(head(seed))) for seed in range(100, 140)]) == []


def test_the_same_skull_with_another_brain_is_another_picture(head: Head) -> None:
    one, other = head(1).copy(), head(2)
    y, x = np.mgrid[:192, :192]
    brain = np.hypot((x - 96) / 50, (y - 96) / 62) < 1
    mixed = np.where(brain, other, one).astype(np.uint8)
    assert near_pairs([normalised_head(of(one)), normalised_head(of(mixed))]) == []


def test_a_lesion_painted_on_is_still_the_same_picture(head: Head) -> None:
    marked = head(3).copy()
    cv2.circle(marked, (120, 70), 10, 250, -1)
    cv2.putText(marked, "R", (5, 30), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 2)
    (pair,) = near_pairs([normalised_head(of(head(3))), normalised_head(of(marked))])
    assert pair.agreement >= SAME_PICTURE


def test_pairs_connect_each_set_of_copies_once(head: Head) -> None:
    looks = [normalised_head(of(change(head(5)))) for change in list(CHANGES.values())[:6]]
    looks += [normalised_head(of(head(6))), normalised_head(of(head(7)))]
    pairs = near_pairs(looks)
    sets: Sets[int] = Sets()
    for pair in pairs:
        sets.join(pair.first, pair.second)
    assert len(pairs) == 5
    assert len({sets.find(index) for index in range(6)}) == 1
    assert len({sets.find(index) for index in range(8)}) == 3


def test_nothing_has_no_copies(head: Head) -> None:
    assert near_pairs([]) == []
    assert near_pairs([normalised_head(of(head(1)))]) == []
    assert matching([], [normalised_head(of(head(1)))]) == {}
    assert matching([normalised_head(of(head(1)))], []) == {}


def test_blank_images_are_not_copies_of_each_other() -> None:
    blank = [normalised_head(of(np.full((80, 80), grey, np.uint8))) for grey in (0, 90, 255)]
    assert near_pairs(blank) == []


@pytest.fixture(scope="module")
def real_scans(real_data: Path) -> list[Slice]:
    files = sorted((real_data / "external_dev").rglob("*.jpg"))[::9]
    return [read_slice(file) for file in files]


@pytest.fixture(scope="module")
def real_heads(real_scans: list[Slice]) -> list[NormalisedHead]:
    return [normalised_head(scan) for scan in real_scans]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["smaller", "mirrored", "-4°", "brighter"])
def test_copies_of_real_scans_are_found(
    real_scans: list[Slice], real_heads: list[NormalisedHead], name: str
) -> None:
    scans = real_scans
    copies = [normalised_head(of(CHANGES[name](scan.pixels))) for scan in scans]
    found = matching(copies, real_heads)
    hit = sum(index in found.get(index, ()) for index in range(len(scans)))
    wrong = sum(len(set(matches) - {index}) for index, matches in found.items())
    assert len(scans) > 15
    assert hit >= 0.95 * len(scans)
    assert wrong == 0
