"""Pictures of a finding, drawn when they are asked for."""

from __future__ import annotations

import io
from typing import Literal

from PIL import Image

from tumorscope.common.memory import IMAGES
from tumorscope.detection.evidence import scaled, temperature_of
from tumorscope.detection.overlay import LONGEST, draw
from tumorscope.detection.painting import painted
from tumorscope.model_file.schema import Metadata
from tumorscope.serving.http.pictures import Kept

View = Literal["overlay", "picture", "evidence"]

RADIUS = 1 / 28
"""Of the ring around the peak, as a share of the longer side."""


def png_of(kept: Kept, metadata: Metadata, view: View) -> bytes:
    """Return a picture that was looked at.

    Parameters
    ----------
    kept : Kept
        Picture and finding.
    metadata : Metadata
        Of the model.
    view : {"overlay", "picture", "evidence"}
        The sheet that ``tumorscope predict --overlays`` writes; the slice as read; the slice with
        its evidence and the ring around the peak.
    """
    with IMAGES.one_image():  # many may ask at once
        picture = _drawn(kept, metadata, view)
        stream = io.BytesIO()
        picture.save(stream, "PNG", compress_level=1)
        return stream.getvalue()


def _drawn(kept: Kept, metadata: Metadata, view: View) -> Image.Image:
    scan, finding = kept.slice(), kept.finding
    how, temperature = metadata.preprocessing.preprocessing, temperature_of(metadata)
    if view == "overlay":
        return draw(scan, finding, how, temperature=temperature)
    grey = scaled(scan.pixels, longest=LONGEST)
    if view == "picture" or finding.evidence is None:
        return Image.fromarray(grey)
    radius = max(4, round(RADIUS * max(grey.shape)))
    return painted(grey, scan, finding.evidence, how, temperature=temperature, radius=radius)[0]
