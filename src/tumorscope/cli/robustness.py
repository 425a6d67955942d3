"""``tumorscope robustness``."""

from __future__ import annotations

from pathlib import Path

from tumorscope.cli.app import check_there, emit, left_out
from tumorscope.cli.options import Common, Flag, Output
from tumorscope.common.columns import aligned
from tumorscope.common.progress import say


def robustness(
    data: str,
    /,
    *,
    output: Output,
    model: Path | None = None,
    operating_point: str = "balanced",
    allow_seen: Flag = False,
    common: Common | None = None,
) -> int:
    """Measure what noise, blur, contrast, turns and crops do to a model's answers.

    Example: `tumorscope robustness other-hospital/ --model runs/first/model.onnx -o robustness/`

    Parameters
    ----------
    data
        Labelled images that the model has not seen: class folders or a manifest.csv.
    output
        Folder for robustness.csv, robustness.json and robustness.png.
    model
        A model file, or packaged (the default), the one in the package.
    operating_point
        Whose threshold decides: balanced, screening or specific.
    allow_seen
        Measure on images that the model was trained on all the same.
    """
    check_there(data)
    from tumorscope.assessment.robustness import measure_robustness

    common = common or Common()
    result = measure_robustness(
        model, data, output=output, operating_point=operating_point, allow_seen=allow_seen
    )
    rows = [("change", "strength", "images", "AUC", "refused", "calls changed")]
    for each in result.strengths:
        auc = "-" if each.auc is None else f"{each.auc.value:.3f}"
        changed = each.flips
        words = changed and f"{changed.value:.3f} ({changed.low:.3f} to {changed.high:.3f})"
        refused = "" if each.refused is None else f"{each.refused.value:.0%}"
        strength, images = f"{each.strength:g}", str(each.images)
        rows.append((each.perturbation, strength, images, auc, refused, words or ""))
    lines = [aligned(rows, right=(1, 2, 3, 4))]
    unchanged = result.strengths[0].refused
    if unchanged is not None and unchanged.value:
        lines.append(
            f"The input check refuses {unchanged.value:.0%} of the images as they are. AUC and "
            "calls are of all images, also of those."
        )
    if result.seen is None:
        lines.insert(0, "WARNING: whether the model was trained on these images is not known.")
    elif result.seen:
        lines.insert(0, f"WARNING: the model was trained on {result.seen} of these images.")
    emit(
        common, {**result.to_json(), "passed_over": result.passed_over.to_json()}, "\n".join(lines)
    )
    say(f"Figure: {result.folder / 'robustness.png'}")
    return left_out(result.unreadable, result.passed_over)
