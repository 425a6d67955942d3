"""How much of a head a slice shows, by what is brighter than air."""

from __future__ import annotations

import cv2

from tumorscope.scans.views import ScanSlice

HEAD_GREY = 24
"""Of 255: what is brighter is head, not air."""

HEAD_AREA = 3000.0
"""In mm². A slice with less head than this is above the head or below it, or shows air."""


def head_area(scan: ScanSlice) -> float:
    """Return the area of a slice that is brighter than air, in mm²."""
    spacing = scan.slice.spacing
    assert spacing is not None
    _, bright = cv2.threshold(scan.slice.pixels, HEAD_GREY, 1, cv2.THRESH_BINARY)
    return spacing[0] * spacing[1] * cv2.countNonZero(bright)
