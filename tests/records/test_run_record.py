"""run.json: checked when read, also where an older or a later version wrote it."""

from __future__ import annotations

import json

import pytest

from tumorscope.common.errors import InputError
from tumorscope.recipes.origin import Weights
from tumorscope.records.run_record import RunRecord

SHA = "ab" * 32

OLDEST: dict[str, object] = {
    "weights": f"a.h5 (sha256 {SHA})",
    "split": "grouped",
    "seed": 3,
    "versions": {"keras": "3.12.0"},
    "images": {"": 2, "training": 10},
    "data_sha256": SHA,
    "layers": [{"layer": "head (Dense)", "output_shape": "(None, 1)", "parameters": 9}],
}
"""What the first version wrote, as far as anything is read of it."""


def read(**changes: object) -> RunRecord:
    return RunRecord.parse(json.dumps({**OLDEST, **changes}), origin="run/run.json")


def test_what_the_first_version_wrote_is_read() -> None:
    record = read()
    assert record.origin == Weights(kind="file", name="a.h5", digest=SHA)
    assert record.images == {"": 2, "training": 10}
    assert record.layers[0].parameters == 9
    assert record.model_dump(mode="json", exclude_unset=True) == OLDEST


def test_what_a_later_version_adds_is_kept() -> None:
    assert read(later={"a": 1}).model_dump(mode="json", exclude_unset=True)["later"] == {"a": 1}


def test_recorded_data_count_more_than_the_sentence() -> None:
    weights = {"kind": "mri", "name": "reference@0", "digest": SHA}
    record = read(weights="words of another version", protocol={"weights": [weights]})
    assert record.origin == Weights(kind="mri", name="reference@0", digest=SHA)
    damaged = read(protocol={"weights": [{"kind": "moon"}]})
    assert damaged.origin.kind == "file"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"is damaged \(Invalid JSON"),
        ("[]", "is damaged"),
        (json.dumps({**OLDEST, "seed": "three"}), "seed: "),
        (json.dumps({**OLDEST, "split": "odd"}), "split: "),
        (json.dumps({name: OLDEST[name] for name in OLDEST if name != "layers"}), "layers: "),
    ],
)
def test_a_damaged_record_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        RunRecord.parse(text, origin="run/run.json")
    assert str(caught.value).startswith("run/run.json is damaged")
    assert "data_sha256, images, layers, seed, split, versions, weights" in str(caught.value)
