"""Draw where a model finds its evidence on 24 drawn heads with drawn lesions, for the docs.

    python benchmarks/evidence_sheet.py

Writes docs/images/evidence.png: each phantom beside its evidence, in the colours of an overlay,
with the ring at the peak and the outline of the lesion in green, which the model does not know; and
docs/images/overlay.png, the overlay of one of them. Prints how often the ring lies inside. Nothing
is chosen: these are the first 24 phantoms with a lesion.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tumorscope.detection.detector import Detector
from tumorscope.detection.evidence import temperature_of
from tumorscope.detection.finding import Finding
from tumorscope.detection.overlay import draw, overlay
from tumorscope.detection.peak import mark, peak_of
from tumorscope.detection.probability_scale import font
from tumorscope.imaging import Slice
from tumorscope.synthetic.phantom_slice import phantom_lesion_mask, phantom_slice

IMAGES = Path(__file__).parents[1] / "docs" / "images"
COUNT, ACROSS, EDGE, GAP = 24, 4, 132, 6
OUTLINE = (90, 230, 90)
SHOWN = 6
"""Of which phantom overlay.png is."""

WIDE = 710
"""Pixels of overlay.png: the README shall open at once."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="packaged")
    parser.add_argument("--output", type=Path, default=IMAGES)
    arguments = parser.parse_args()
    detector = Detector.load(arguments.model)
    cards, hits = [], 0
    for seed in range(COUNT):
        scan = Slice(phantom_slice(tumour=True, seed=seed).pixels, f"phantom-{seed}.png")
        lesion = phantom_lesion_mask(tumour=True, seed=seed)
        finding = detector.detect(scan)
        painted, hit = evidence_on(scan, lesion, finding, detector)
        cards.append(card(scan, painted, f"{finding.decision} {finding.probability or 0:.2f}"))
        hits += hit
        if seed == SHOWN:
            how = detector.metadata.preprocessing.preprocessing
            shown = draw(scan, finding, how, temperature=temperature_of(detector.metadata))
            shown.thumbnail((WIDE, WIDE), Image.Resampling.LANCZOS)
            # A palette would save half of it, and tint greys blue, which means something here.
            shown.save(arguments.output / "overlay.png", optimize=True)
    rows = [np.concatenate(cards[at : at + ACROSS], axis=1) for at in range(0, COUNT, ACROSS)]
    sheet = Image.fromarray(np.concatenate(rows))
    sheet.save(arguments.output / "evidence.png", optimize=True)
    print(f"{hits} of {COUNT} rings lie inside the lesion")


def evidence_on(
    scan: Slice, lesion: NDArray[np.bool_], finding: Finding, detector: Detector
) -> tuple[NDArray[np.uint8], bool]:
    """Return the slice with evidence, ring and outline, and whether the ring lies in the lesion."""
    how = detector.metadata.preprocessing.preprocessing
    temperature = temperature_of(detector.metadata)
    painted, hit = (
        Image.fromarray(overlay(small(scan), finding, how, temperature=temperature)),
        False,
    )
    peak = None
    if finding.evidence is not None:
        peak = peak_of(finding.evidence, scan, how, temperature=temperature)
    if peak is not None:
        mark(painted, peak, radius=7)
        height, width = lesion.shape
        hit = bool(lesion[int(peak.y * height), int(peak.x * width)])
    inside = cv2.resize(lesion.astype(np.uint8), (EDGE, EDGE), interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    drawn = np.array(painted)
    cv2.drawContours(drawn, outlines, -1, OUTLINE, 1)
    return drawn, hit


def small(scan: Slice) -> Slice:
    pixels: NDArray[np.uint8] = cv2.resize(scan.pixels, (EDGE, EDGE), interpolation=cv2.INTER_AREA)
    return Slice(pixels, scan.source)


def card(scan: Slice, painted: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    """Return a slice beside its evidence, with what the model says in the corner."""
    pair = np.zeros((EDGE + GAP, 2 * (EDGE + GAP), 3), np.uint8)
    pair[:EDGE, :EDGE] = small(scan).pixels[..., None]
    pair[:EDGE, EDGE : 2 * EDGE] = painted
    picture = Image.fromarray(pair)
    ImageDraw.Draw(picture).text((4, 2), text, (255, 255, 160), font=font(13))
    return np.asarray(picture)


if __name__ == "__main__":
    main()
