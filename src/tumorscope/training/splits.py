"""What a run needs of the splits of its cohort, checked before it writes anything."""

from __future__ import annotations

from tumorscope.cohort.arrays import labels_for
from tumorscope.cohort.facts import WITHOUT_SPLIT, split_counts
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.sentences import on_missing_types
from tumorscope.common.classes import TYPE_CLASSES
from tumorscope.common.errors import InputError
from tumorscope.common.progress import say
from tumorscope.recipes.recipe import Recipe


def check_splits(manifest: Manifest, recipe: Recipe) -> None:
    """Say what is in no split or lacks a type, and refuse a training part without a class.

    Raises
    ------
    InputError
        If the split "training" lacks a class of the recipe's task.
    """
    counts = split_counts(manifest.rows)
    if WITHOUT_SPLIT in counts:
        say(
            f"{counts[WITHOUT_SPLIT]} images lie in no split, where others do, and are used for "
            "nothing. Fill the column split for them, or run `tumorscope split`, to use them."
        )
    training = manifest.of_split("training")
    typed = recipe.task == "tumour-type"
    if typed and (words := on_missing_types(manifest)):
        say(words)
    taught = set(labels_for(recipe.task, training).tolist())
    if typed and (untaught := [kind for n, kind in enumerate(TYPE_CLASSES) if n not in taught]):
        raise InputError(
            f"The split training holds {len(training)} images, none of them of the class "
            f"{', '.join(untaught)}. Expected images of every class to train on. Correct the "
            "column split of the manifest, or run `tumorscope split`, which gives each type to "
            "training first."
        )
    if len(set(training.labels.tolist())) < 2:
        parts = ", ".join(f"{count} {name}" for name, count in counts.items())
        raise InputError(
            f"The split training holds {len(training)} images, {int(training.labels.sum())} of "
            f"them with a tumour ({parts}). Expected images of both classes to train on. Correct "
            "the column split of the manifest, or run `tumorscope split`."
        )
