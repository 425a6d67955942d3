"""``tumorscope predict --ray``: files of any number, on the workers of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.cli.app import SOME_FAILED, emit
from tumorscope.cli.options import Common
from tumorscope.cli.predict_tally import COPIES, known_from_training
from tumorscope.common.errors import UsageError
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.progress import say
from tumorscope.common.words import counted

if TYPE_CHECKING:
    from tumorscope.detection.detector import Detector


def predict_ray(
    paths: Sequence[Path],
    detector: Detector,
    *,
    address: str,
    workers: int | None,
    output: Path | None,
    common: Common,
) -> int:
    """Write the tables of a batch, and return the exit code."""
    if output is None or output.suffix.lower() in (".csv", ".parquet", ".jsonl"):
        raise UsageError(
            f"Received {'no -o' if output is None else f'-o {output}'} with --ray; expected a "
            "folder or an address for many Parquet tables, such as -o findings/."
        )
    from tumorscope.detection.ray_batch import detect_on_ray

    batch = detect_on_ray(
        list(paths), output=output, detector=detector, address=address, workers=workers
    )
    for line in batch.passed_over.words():
        say(line)
    counts = ", ".join(f"{count} {name}" for name, count in batch.decisions.most_common())
    kept = f", {batch.kept} of them computed before" if batch.kept else ""
    say(f"{counted(batch.rows, 'image')}{kept}: {counts}. Model {detector.model_id}.")
    for line in known_from_training(batch.seen, COPIES):
        say(line)
    if batch.superseded:
        say(f"Removed {counted(batch.superseded, 'table')} of files that changed or are gone.")
    say(f"Wrote {counted(len(batch.tables), 'table')} in {batch.place}")
    say(RESEARCH_USE_ONLY)
    document = {
        "notice": RESEARCH_USE_ONLY,
        "model": detector.model_id,
        "operating_point": detector.operating_point,
        "decisions": dict(batch.decisions),
        "seen": batch.seen,
        "rows": batch.rows,
        "computed_before": batch.kept,
        "superseded_tables": batch.superseded,
        "passed_over": batch.passed_over.to_json(),
        "output": batch.place,
        "tables": batch.tables,
    }
    if common.json:
        emit(common, document, "")
    return SOME_FAILED if batch.decisions["unreadable"] or batch.passed_over.scans else 0
