"""What a header says of an image's sequence, where it leaves no doubt."""

from __future__ import annotations

import pytest

from tumorscope.scans import Acquisition


@pytest.mark.parametrize(
    ("sequence", "acquisition"),
    [
        ("", Acquisition()),
        ("T1", Acquisition("SE", repetition_time=500, echo_time=12)),
        ("T1c", Acquisition("SE", repetition_time=500, echo_time=12, agent=True)),
        ("T2", Acquisition("SE", repetition_time=4000, echo_time=90)),
        ("FLAIR", Acquisition("SE\\IR", repetition_time=9000, echo_time=90, inversion_time=2500)),
        ("T1", Acquisition("GR\\IR", repetition_time=2300, echo_time=3, inversion_time=900)),
        ("", Acquisition("GR", repetition_time=2300, echo_time=3)),
        ("", Acquisition("EP\\SE", repetition_time=4000, echo_time=90)),
        ("DWI", Acquisition("EP\\SE", repetition_time=4000, echo_time=90, b_value=1000)),
        ("", Acquisition("SE", repetition_time=3000, echo_time=30)),
        ("T1c", Acquisition(contrast="T1", agent=True)),
        ("FLAIR", Acquisition(contrast="FLUID_ATTENUATED")),
        ("DWI", Acquisition(contrast="DIFFUSION")),
    ],
)
def test_sequences(sequence: str, acquisition: Acquisition) -> None:
    assert acquisition.sequence == sequence
