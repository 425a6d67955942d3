"""The recipe trained without some sources at a time: what it says of places it has never seen.

Each such training is a run of its own, which goes on where it was interrupted, and whose model can
be asked where it looks. What a run scores is put together as a cross-validation would have it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tumorscope.cohort.manifest import Manifest
from tumorscope.common.csv_files import read_csv, write_csv
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.fold_protocol import PROTOCOL
from tumorscope.records.protocol import Cohort, write_protocol
from tumorscope.records.resume import protocol_of
from tumorscope.records.run_folder import Run
from tumorscope.training.train import train


@dataclass(frozen=True, slots=True)
class Fold:
    """One training: the sources that it never saw, and its run."""

    sources: tuple[str, ...]
    run: Run

    @property
    def tested(self) -> Manifest:
        """The images of these sources."""
        manifest = Manifest.load(self.run.folder / "manifest.csv")
        return manifest.having(row for row in manifest.rows if row.source in self.sources)


def train_without(
    manifest: Manifest,
    hold_out: Sequence[Sequence[str]],
    *,
    recipe: Recipe,
    weights: str,
    output: Path,
) -> list[Fold]:
    """Train once for each group of sources, without them and whatever shares a group with them.

    Parameters
    ----------
    manifest : Manifest
        All images; those of the split "testing" never train.
    hold_out : sequence of sequence of str
        Sources left out together.
    recipe, weights
        As for `tumorscope.train`.
    output : Path
        Each run lies in ``without-NUMBER``; manifest.csv and scores.csv hold what all of them say
        of the sources that they did not see.
    """
    folds = []
    for number, names in enumerate(hold_out):
        run = train(
            split_without(manifest, names),
            recipe=recipe,
            weights=weights,
            output=output / f"without-{number}",
            resume=True,
        )
        folds.append(Fold(tuple(names), run))
    _gather(folds, manifest, output)
    return folds


def folds_of(output: Path, hold_out: Sequence[Sequence[str]]) -> list[Fold]:
    """Return the trainings that `train_without` has finished in a folder."""
    return [
        Fold(tuple(names), Run.open(output / f"without-{number}"))
        for number, names in enumerate(hold_out)
    ]


def split_without(manifest: Manifest, names: Sequence[str]) -> Manifest:
    """Return the manifest with these sources, and what shares a group with them, for testing."""
    tested = {row.group for row in manifest.rows if row.source in names}
    return manifest.having(
        replace(row, split="testing") if row.group in tested else row for row in manifest.rows
    )


def _gather(folds: Sequence[Fold], manifest: Manifest, output: Path) -> None:
    """Write scores, manifest and protocol as a cross-validation with sources left out has them."""
    found = {
        file: each for number, fold in enumerate(folds) for file, each in _scores(fold, number)
    }
    scored = manifest.usable
    scored = scored.having(row for row in scored.rows if scored.file(row).resolve() in found)
    scored.save(output / "manifest.csv")
    # Paths are relative to where a manifest lies, and so others here than in the runs.
    saved = Manifest.load(output / "manifest.csv")
    write_csv(
        output / "scores.csv",
        ("path", "label", "repeat", "fold", "score"),
        [
            {"path": row.path, "label": row.label, "repeat": 0, **found[saved.file(row).resolve()]}
            for row in saved.rows
        ],
    )
    recipe = folds[0].run.recipe
    protocol = protocol_of(folds[0].run.folder, folds[0].run.record).model_copy(
        update={
            "data": Cohort.of(manifest.usable, masks=recipe.trains_on_places),
            "folds": len(folds),
            "repeats": 1,
            "hold_out": tuple(tuple(sorted(fold.sources)) for fold in folds),
        }
    )
    (output / PROTOCOL).parent.mkdir(exist_ok=True)
    write_protocol(output / PROTOCOL, protocol)


def _scores(fold: Fold, number: int) -> Iterator[tuple[Path, dict[str, object]]]:
    """Yield each image of the sources left out, with its fold and score."""
    score_of = {each["path"]: each["score"] for each in read_csv(fold.run.folder / "scores.csv")}
    tested = fold.tested.usable
    for row in tested.rows:
        yield tested.file(row).resolve(), {"fold": number, "score": score_of[row.path]}
