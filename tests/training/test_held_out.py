"""What chooses thresholds: scores of left-out sources, and of no image that will be tested."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.common.errors import HonestyError, InputError
from tumorscope.recipes.origin import Weights
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.fold_protocol import PROTOCOL
from tumorscope.records.protocol import Cohort, Protocol, data_hash, write_protocol
from tumorscope.records.run_record import RunRecord
from tumorscope.training.held_out import HeldOut, crossval_scores, measuring_folds

SOURCES = ("north", "south", "west")
PARTS = ("training", "training", "tuning", "training", "testing")


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Sixty images from three places, every fifth for testing."""
    rows = [
        Row(
            path=f"{n}.png",
            sha256=f"{n:064x}",
            label=n % 2,
            group=f"g{n}",
            split=PARTS[n % 5],
            source=SOURCES[n % 3],
            width=64,
            height=64,
            mode="L",
        )
        for n in range(60)
    ]
    (tmp_path / "run").mkdir()
    made = Manifest(tuple(rows), tmp_path / "run")
    made.save(tmp_path / "run" / "manifest.csv")
    return Manifest.load(tmp_path / "run" / "manifest.csv")


def protocol(manifest: Manifest, **changes: object) -> Protocol:
    made = Protocol(
        recipe=Recipe.load("paper"), weights=(Weights(kind="none"),), data=Cohort.of(manifest)
    )
    return made.model_copy(update=changes)


def recorded(manifest: Manifest) -> RunRecord:
    return RunRecord(
        seed=0,
        split="grouped",
        weights="none (random)",
        protocol=protocol(manifest).model_dump(mode="json"),
        data_sha256=data_hash(manifest),
        images={},
        versions={},
        layers=(),
    )


def left_out(manifest: Manifest, folder: Path, *sources: str) -> Path:
    """Write what a cross-validation leaves that scored the images of these sources alone."""
    scored = manifest.having(row for row in manifest.rows if row.source in sources)
    folder.mkdir()
    scored.save(folder / "manifest.csv")
    (folder / PROTOCOL).parent.mkdir()
    hold_out = tuple((source,) for source in sources)
    write_protocol(folder / PROTOCOL, protocol(manifest, folds=len(sources), hold_out=hold_out))
    with (folder / "scores.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "label", "repeat", "fold", "score"])
        for row in Manifest.load(folder / "manifest.csv").rows:
            number = int(Path(row.path).stem)
            writer.writerow([row.path, row.label, 0, 0, 0.2 + 0.5 * row.label + number / 1000])
    return folder


def scores(manifest: Manifest, folder: Path) -> HeldOut:
    return crossval_scores(folder, folder.parent / "run", manifest, recorded(manifest))


def test_images_to_be_tested_choose_nothing(manifest: Manifest, tmp_path: Path) -> None:
    found = scores(manifest, left_out(manifest, tmp_path / "cv", "north", "south"))
    tested = [n for n in range(60) if n % 3 < 2 and n % 5 != 4]
    assert found.labels.tolist() == [n % 2 for n in tested]
    expected = [0.2 + 0.5 * (n % 2) + n / 1000 for n in tested]
    np.testing.assert_allclose(1 / (1 + np.exp(-found.logits[:, 0])), expected, atol=1e-9)
    assert found.folds is not None
    assert set(found.folds.tolist()) == {0, 1, 2, 3, 4}


def test_their_origin_names_the_sources_and_how_many_of_each(
    manifest: Manifest, tmp_path: Path
) -> None:
    found = scores(manifest, left_out(manifest, tmp_path / "cv", "north", "south"))
    assert found.origin == (
        "scores of images whose sources were left out of training (16 of north, 16 of south)"
    )
    whole = scores(manifest, left_out(manifest, tmp_path / "all", *SOURCES))
    assert whole.origin == "out-of-fold scores of a cross-validation (1 repeat)"


def test_scores_of_images_that_the_run_does_not_know_are_refused(
    manifest: Manifest, tmp_path: Path
) -> None:
    folder = left_out(manifest, tmp_path / "cv", "north", "south")
    fewer = manifest.having(row for row in manifest.rows if row.source != "south")
    with pytest.raises(InputError, match="come from another network"):
        scores(fewer, folder)


def test_a_random_split_chooses_nothing(manifest: Manifest, tmp_path: Path) -> None:
    folder = left_out(manifest, tmp_path / "cv", "north", "south")
    write_protocol(folder / PROTOCOL, protocol(manifest, split="random"))
    with pytest.raises(HonestyError, match="random split"):
        scores(manifest, folder)


def test_few_groups_of_a_class_give_no_folds() -> None:
    labels = np.array([0] * 20 + [1] * 20)
    alone = np.array([f"g{n}" for n in range(40)])
    assert measuring_folds(labels, alone) is not None
    together = np.array([f"g{n}" if n < 20 else f"t{n % 4}" for n in range(40)])
    assert measuring_folds(labels, together) is None
