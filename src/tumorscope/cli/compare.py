"""``tumorscope compare``."""

from __future__ import annotations

from tumorscope.cli.app import SOME_FAILED, check_there, emit, left_out
from tumorscope.cli.options import Common, Flag, Folds, Output, Repeats
from tumorscope.common.progress import say


def compare(
    data: str | None = None,
    /,
    *,
    output: Output,
    backbones: str | None = None,
    recipe: str = "paper",
    folds: Folds = 5,
    repeats: Repeats = 3,
    weights: str = "imagenet",
    cost_only: Flag = False,
    resume: Flag = False,
    ray: str | None = None,
    common: Common | None = None,
) -> int:
    """Compare backbones and methods by one protocol: quality with intervals, and cost.

    Quality is measured only where a system starts from pretrained weights. Where they cannot be
    had, its cells stay empty, the table says which command fills them, and the exit code is 4.

    Example:

        tumorscope compare scans/ --backbones mobilenet_v2-pooled,vgg16 --folds 5 -o comparison/
        tumorscope compare --cost-only -o comparison/

    Parameters
    ----------
    data
        Folder with class folders such as yes/ and no/, or a manifest.csv. Only costs need none.
    output
        Folder for comparison.csv, .json and .html, and each system's own report.
    backbones
        Names with commas between them: mobilenet_v2, mobilenet_v3_large, efficientnet_v2_b0,
        vgg16, resnet18, resnet50, alexnet, inception_v3, densenet201, small_cnn (with the recipe's
        head); mobilenet_v2-flatten, mobilenet_v2-pooled, mobilenet_v2-logistic, resnet18-svm,
        inception_v3-densenet201. By default all that the paper names, and two newer ones.
    recipe
        recommended, paper, reference, demo, or a TOML file; all systems follow it.
    weights
        imagenet (Keras' download and cache), a folder with a file for each backbone such as
        vgg16.weights.h5, or a file, for one backbone; none measures costs only.
    cost_only
        Measure no quality.
    resume
        Keep what is finished there; systems that are not named stay in the table.
    ray
        Address of a Ray cluster, or local: folds at the same time, one per core; extra “ray”.
    """
    check_there(data)
    from tumorscope.experiments.comparison.compare import compare as run_comparison
    from tumorscope.networks.systems import DEFAULT

    common = common or Common()
    names = DEFAULT if backbones is None else [name.strip() for name in backbones.split(",")]
    result = run_comparison(
        data,
        backbones=[name for name in names if name],
        recipe=recipe,
        folds=folds,
        repeats=repeats,
        weights=weights,
        output=output,
        cost_only=cost_only,
        resume=resume,
        ray=ray,
    )
    emit(common, {**result.to_json(), "passed_over": result.passed_over.to_json()}, result.table())
    if data is not None and weights == "none" and not cost_only:
        say("Only costs were measured: --weights none says nothing of pretrained systems.")
    say(f"Report: {result.folder / 'comparison.html'}")
    for row in result.missing:
        say(f"{row.system.title}: {row.note}")
    return left_out(result.unreadable, result.passed_over) or (SOME_FAILED if result.missing else 0)
