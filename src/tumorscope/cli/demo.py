"""``tumorscope demo``."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.cli.app import emit
from tumorscope.cli.options import Common, Output, Whole
from tumorscope.common.errors import UsageError
from tumorscope.common.extras import require
from tumorscope.common.limits import check_seed, check_whole
from tumorscope.common.progress import say

if TYPE_CHECKING:
    from tumorscope.records.run_folder import Run

MARK = ".tumorscope-demo"


def demo(
    *,
    output: Output = Path("tumorscope-demo"),
    n: Whole = 240,
    seed: Whole = 0,
    common: Common | None = None,
) -> None:
    """Run the whole job offline on synthetic slices: audit, split, train, evaluate, detect.

    Example: `tumorscope demo -o tumorscope-demo`

    Parameters
    ----------
    output
        Folder for everything that is made; one that an earlier demo made is replaced.
    n
        Distinct phantom slices.
    seed
        Of the phantoms, the split and the training.
    """
    from tumorscope.common.locks import writing

    with writing(output):
        _demo(output, n, seed, common or Common())


def _demo(output: Path, n: int, seed: int, common: Common) -> None:
    from tumorscope.assessment.evaluate import evaluate
    from tumorscope.auditing.audit import audit
    from tumorscope.cohort.split import split
    from tumorscope.recipes.recipe import Recipe
    from tumorscope.synthetic.phantom import write_phantom_cohort
    from tumorscope.training.train import train

    started = time.monotonic()
    require("train", to="run the demo, which trains a network")
    check_whole("n", n, at_least=6, usual="240 is usual")
    recipe = Recipe.load("demo").changed({"seed": check_seed(seed)})
    _make_room(output)
    say("1/6  Drawing phantom slices, with planted duplicates and a planted shortcut")
    write_phantom_cohort(output / "cohort", n=n, seed=seed, duplicates=n // 6, shortcut=True)
    say("2/6  Auditing them")
    audited = audit(output / "cohort", output=output / "audit", input_check=False)
    say("3/6  Splitting by group")
    manifest = split(audited.manifest, fractions=recipe.data.fractions, seed=seed)
    manifest.save(output / "audit" / "manifest.csv")
    say("4/6  Training a small network from random weights")
    run = train(
        output / "audit" / "manifest.csv", recipe=recipe, weights="none", output=output / "run"
    )
    say("5/6  Evaluating it on slices that it has not seen")
    result = evaluate(run, output=output / "evaluation")
    say("6/6  Detecting with its model file on those slices, with pictures of the evidence")
    decisions = _predict(run, output)
    emit(
        common,
        {
            "audit": str(output / "audit" / "report.html"),
            "report": str(result.report),
            "decisions": decisions,
            "seconds": round(time.monotonic() - started, 1),
            **result.metrics.to_json(),
        },
        result.metrics.table(),
    )
    say(f"Audit:  {output / 'audit' / 'report.html'}  (the duplicates and the shortcut it found)")
    say(f"Findings: {output / 'findings.html'}  (findings.csv and overlays beside it)")
    say(f"Report: {result.report}  (open this one)")


def _predict(run: Run, output: Path) -> dict[str, int]:
    """Detect on the testing slices as `tumorscope predict` does; return counts of decisions."""
    from tumorscope.detection.detector import Detector
    from tumorscope.detection.find_images import find_images
    from tumorscope.detection.outputs import Outputs, open_results

    testing = run.manifest.usable.of_split("testing")
    paths = [testing.file(row) for row in testing.rows]
    outputs = Outputs(
        table=output / "findings.csv", overlays=output / "overlays", page=output / "findings.html"
    )
    detector = Detector.load(run.folder / "model.onnx")
    with open_results(detector, find_images(paths), outputs=outputs, named=paths) as results:
        return dict(Counter(str(result.values["decision"]) for result in results))


def _make_room(output: Path) -> None:
    from tumorscope.common.files import output_folder

    if output.is_dir() and any(output.iterdir()) and not (output / MARK).exists():
        raise UsageError(
            f"{output} holds files that no demo made. Expected a new or empty folder. Choose "
            "another with -o."
        )
    if (output / MARK).exists():
        shutil.rmtree(output)
    output_folder(output)
    (output / MARK).touch()
