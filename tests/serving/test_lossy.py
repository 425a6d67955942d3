"""Whether a source was compressed with a loss: its header says it, or its transfer syntax does."""

from __future__ import annotations

import pytest

from tumorscope.serving.lossy import loss_of

pydicom = pytest.importorskip("pydicom", reason="needs the dicom extra")


@pytest.mark.parametrize(
    ("syntax", "stated", "loss"),
    [
        ("1.2.840.10008.1.2.1", None, None),
        ("1.2.840.10008.1.2.1", "00", None),
        ("1.2.840.10008.1.2.1", "01", ("", "")),
        ("1.2.840.10008.1.2.4.91", None, ("", "ISO_15444_1")),  # as `compress` leaves it
        ("1.2.840.10008.1.2.4.90", None, None),
    ],
)
def test_a_loss_shows_in_the_header_or_in_the_transfer_syntax(
    syntax: str, stated: str | None, loss: tuple[str, str] | None
) -> None:
    header = pydicom.Dataset()
    if stated is not None:
        header.LossyImageCompression = stated
    assert loss_of(header, syntax) == loss
