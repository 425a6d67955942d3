"""``tumorscope train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from tumorscope.cli.app import Common, OptionalWhole, check_there, emit, left_out
from tumorscope.common.limits import check_seed
from tumorscope.common.progress import say


def train(
    data: str,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    recipe: str = "paper",
    weights: str = "imagenet",
    split: Literal["group", "random"] = "group",
    task: Literal["tumour", "tumour-type"] | None = None,
    seed: OptionalWhole = None,
    resume: Annotated[bool, Parameter(negative="")] = False,
    common: Common | None = None,
) -> int:
    """Train a detector on class folders (audited and split by group first) or a manifest.

    Example: `tumorscope train scans/ --recipe paper -o runs/first`

    Parameters
    ----------
    data
        Folder with class folders such as yes/ and no/, or a manifest.csv.
    output
        Folder of the run.
    recipe
        recommended, paper, reference, demo, or a TOML file.
    weights
        imagenet (Keras' download and cache), mri (the packaged model's backbone, offline), none
        (random), or the path of an HDF5 file.
    split
        random ignores duplicates, as the paper did; its results are too good, and say so.
    task
        Instead of the recipe's: tumour, or tumour-type, which tells no tumour, glioma, meningioma
        and pituitary tumour apart.
    seed
        Instead of the recipe's.
    resume
        Go on with an interrupted run after its last finished epoch, if images, recipe, seed, split
        and weights are those that it was begun with.
    """
    check_there(data)
    from tumorscope.cohort.facts import WITHOUT_SPLIT
    from tumorscope.recipes.recipe import Recipe
    from tumorscope.training.train import train as run_training

    common = common or Common()
    chosen = Recipe.load(recipe)
    if seed is not None:
        chosen = chosen.changed({"seed": check_seed(seed)})
    if task is not None:
        chosen = chosen.for_task(task)
    run = run_training(
        data, recipe=chosen, weights=weights, output=output, split_by=split, resume=resume
    )
    last = run.history[-1]
    facts = run.facts
    images = facts["images"]
    assert isinstance(images, dict)
    emit(
        common,
        {"run": str(run.folder), **{key: facts[key] for key in facts if key != "layers"}},
        "\n".join(
            (
                f"recipe      {facts['recipe']}, {facts['split']} split, seed {facts['seed']}",
                "images      "
                + ", ".join(f"{count} {name}" for name, count in images.items())
                + ("; those without split are used for nothing" if WITHOUT_SPLIT in images else ""),
                f"epochs      {len(run.history)} in {facts['seconds_training']} s",
                *(
                    [
                        f"tuning      loss {last['tuning_loss']:.3f}, accuracy "
                        f"{last['tuning_accuracy']:.3f} (last epoch)"
                    ]
                    if "tuning_loss" in last
                    else []
                ),
                f"run         {run.folder}",
            )
        ),
    )
    say(f"Next: tumorscope evaluate {run.folder}")
    return left_out(run.manifest.unreadable, run.passed_over)
