"""Whether a source was compressed with a loss, which its results have to say too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tumorscope.scans.values import numbers, words

if TYPE_CHECKING:
    from pydicom import Dataset

LOSSY: Mapping[str, str] = {
    "1.2.840.10008.1.2.4.50": "ISO_10918_1",
    "1.2.840.10008.1.2.4.51": "ISO_10918_1",
    "1.2.840.10008.1.2.4.53": "ISO_10918_1",
    "1.2.840.10008.1.2.4.55": "ISO_10918_1",
    "1.2.840.10008.1.2.4.81": "ISO_14495_1",
    "1.2.840.10008.1.2.4.91": "ISO_15444_1",
    "1.2.840.10008.1.2.4.203": "ISO_15444_15",
}
"""Transfer syntaxes that may have lost something, and what the standard calls their method. Some
programs compress so and leave LossyImageCompression out."""


def loss_of(header: Dataset, syntax: str) -> tuple[str, str] | None:
    """Return ratio and method of a loss, either empty where nobody says; None without a loss.

    Parameters
    ----------
    header : Dataset
        Of one instance.
    syntax : str
        Its transfer syntax UID.
    """
    if syntax not in LOSSY and words(header, "LossyImageCompression") != ("01",):
        return None
    ratio = numbers(header, "LossyImageCompressionRatio")
    method = next(iter(words(header, "LossyImageCompressionMethod")), "")
    known = method if method in LOSSY.values() else LOSSY.get(syntax, "")
    return f"{ratio[0]:.10g}" if ratio else "", known
