"""``tumorscope train``."""

from __future__ import annotations

from tumorscope.cli.app import check_there, emit, left_out
from tumorscope.cli.options import (
    Common,
    Data,
    Flag,
    Output,
    RecipeName,
    Seed,
    SplitBy,
    Task,
    Weights,
    chosen_recipe,
)
from tumorscope.common.progress import say


def train(
    data: Data,
    /,
    *,
    output: Output,
    recipe: RecipeName = "paper",
    weights: Weights = "imagenet",
    split: SplitBy = "group",
    task: Task = None,
    seed: Seed = None,
    resume: Flag = False,
    common: Common | None = None,
) -> int:
    """Train a detector on class folders (audited and split by group first) or a manifest.

    Example: `tumorscope train scans/ --recipe paper -o runs/first`

    Parameters
    ----------
    output
        Folder of the run.
    split
        random ignores duplicates, as the paper did; its results are too good, and say so.
    resume
        Go on with an interrupted run after its last finished epoch, if images, recipe, seed, split
        and weights are those that it was begun with.
    """
    check_there(data)
    from tumorscope.cohort.facts import WITHOUT_SPLIT
    from tumorscope.training.train import train as run_training

    common = common or Common()
    chosen = chosen_recipe(recipe, seed=seed, task=task)
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
