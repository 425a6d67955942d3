"""``tumorscope bench``: how fast a model is on this machine, beside Keras."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from tumorscope.cli.app import emit, left_out
from tumorscope.cli.options import Common, OptionalOutput, Paths, Whole
from tumorscope.common.columns import aligned
from tumorscope.common.errors import InputError
from tumorscope.common.extras import require
from tumorscope.common.limits import check_whole
from tumorscope.common.progress import say

TIMING_COLUMNS = ("measure", "contender", "batch", "n", "median_ms", "p99_ms", "per_second",
           "keras_over_this")  # fmt: skip
PHANTOMS = 64


def bench(
    *,
    model: Paths = (),
    data: Path | None = None,
    keras: Path | None = None,
    output: OptionalOutput = None,
    repeats: Whole = 100,
    common: Common | None = None,
) -> int:
    """Time one image, a folder and a cold start, engine by engine.

    Contenders take turns, so that ratios hold on a busy machine too.

    Example: `tumorscope bench --model model.onnx --keras runs/first/model.keras -o bench.csv`

    Parameters
    ----------
    model
        A model file, or packaged (the default), the one in the package; may be given several
        times, for other precisions and formats.
    data
        Folder of images; phantoms by default.
    keras
        The same network as a .keras file, to be timed beside it (train extra).
    output
        CSV to write.
    repeats
        Single images to time; a tenth as many cold starts.
    """
    from tumorscope.assessment.speed import bench as run_bench
    from tumorscope.detection.detector import model_path
    from tumorscope.detection.find_images import KEPT, find_images
    from tumorscope.imaging.passed_over import PassedOver

    common = common or Common()
    check_whole("repeats", repeats, at_least=1)
    if keras is not None:
        require("train", to="time a model of Keras")
    models = [model_path(each) for each in model or (None,)]
    for path in (*models, *([keras] if keras else [])):
        if not path.is_file():
            raise InputError(
                f"There is no model at {path}. Expected a model file, as `tumorscope train` "
                "writes: --model PATH."
            )
    from tumorscope.common.locks import writing

    with contextlib.ExitStack() as stack:
        if output is not None:
            stack.enter_context(writing(output))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        named = data is not None
        if data is None:
            from tumorscope.synthetic.phantom import write_phantom_cohort

            say(f"Timing on {PHANTOMS} phantoms; give --data for images of your own.")
            write_phantom_cohort(Path(folder) / "phantoms", n=PHANTOMS, seed=0)
            data = Path(folder) / "phantoms"
        passed = PassedOver(keep=KEPT)
        images = [found.path for found in find_images([data], passed=passed)]
        for line in passed.words() if named else []:
            say(line)
        timings = run_bench(models, images, keras_model=keras, repeats=repeats)
        records = [timing.to_record() for timing in timings]
        if output is not None:
            from tumorscope.common.csv_files import write_csv

            write_csv(output, TIMING_COLUMNS, records)
            say(f"Wrote {output}")
    emit(common, {"timings": records, "passed_over": passed.to_json()}, _table(records))
    return left_out((), passed if named else None)


def _table(records: list[dict[str, object]]) -> str:
    # Without Keras nothing stands in its column.
    names = [name for name in TIMING_COLUMNS if any(record[name] != "" for record in records)]
    rows = [names, *([str(record[name]) for name in names] for record in records)]
    return aligned(rows, right=range(2, len(names)))
