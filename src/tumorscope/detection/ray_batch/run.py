"""A batch on a cluster: list, cut into parts, hand out, put down, and do nothing twice."""

from __future__ import annotations

import itertools
import json
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tumorscope.common.differences import differences
from tumorscope.common.errors import InputError, OutputError
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.progress import track
from tumorscope.common.ray_cluster import connected
from tumorscope.detection.detector import Detector
from tumorscope.detection.find_images import KEPT
from tumorscope.detection.ray_batch.crew import Crew
from tumorscope.detection.ray_batch.listing import address_of, list_entries
from tumorscope.detection.ray_batch.parts import USUAL, Part, parts_of
from tumorscope.detection.ray_batch.store import RECORD, Counts, Store, counts_of
from tumorscope.imaging.passed_over import PassedOver


@dataclass(slots=True)
class ClusterBatch:
    """What became of a batch.

    Attributes
    ----------
    place : str
        Where the tables lie.
    tables : list of str
        Their names, in the order of the files.
    rows : int
        Of all tables together: one per file.
    kept : int
        Rows of them that an earlier run had computed.
    decisions : Counter
        Decision → rows.
    seen : int
        Rows of images that the model was trained on, or of copies of them.
    passed_over : PassedOver
        What was not looked at, by reason.
    superseded : int
        Tables of an earlier run that were removed, because their files changed or are gone.
    """

    place: str
    tables: list[str] = field(default_factory=list)
    rows: int = 0
    kept: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    seen: int = 0
    passed_over: PassedOver = field(default_factory=lambda: PassedOver(keep=KEPT))
    superseded: int = 0


def detect_on_ray(
    sources: Sequence[str | Path],
    *,
    output: str | Path,
    detector: Detector,
    address: str = "local",
    workers: int | None = None,
    usual: int = USUAL,
) -> ClusterBatch:
    """Ask a detector about any number of files, on the workers of a Ray cluster.

    The list of files is cut into parts, each of which becomes one Parquet file, whole or not at
    all. What is there is not computed again: a batch that was interrupted, or has new or changed
    files, is simply started once more.

    Parameters
    ----------
    sources : sequence of path or str
        Files and folders, and addresses that fsspec opens, such as s3://bucket/prefix. The workers
        must see them under the same names.
    output : path or str
        A folder that the workers share, or an address.
    detector : Detector
        Sent to each worker, which has one core and one thread; with the engine cuda a graphics
        card too.
    address : str
        Of the cluster; "local" starts workers on this machine.
    workers : int, optional
        As many as the cluster has cores by default, or graphics cards with the engine cuda.
    usual : int
        Files of a part, on average.

    Raises
    ------
    InputError
        If nothing can be found, the cluster cannot be reached, or the place holds another batch.
    OutputError
        If tables cannot be written, or workers write where this machine does not look.
    """
    store = Store(address_of(output) or str(Path(output).resolve()))
    identity = {
        "sources": [address_of(source) or str(source) for source in sources],
        "files_of_a_part": usual,
        **detector.identity,
    }
    there = store.names()
    _check(store, there, identity)
    batch = ClusterBatch(store.place)
    entries = list_entries(sources, batch.passed_over)
    parts: Iterator[Part] = parts_of(entries, json.dumps(identity, sort_keys=True), usual=usual)
    parts = itertools.chain([next(parts)], parts)  # nothing is written where there is nothing
    store.write(RECORD, _document(identity, None))
    with connected(address, workers=workers) as ray:
        crew = Crew(ray, detector, store, workers=workers)
        batch.tables = [part.table for part in _put_down(parts, crew, store, there, batch)]
    _check_all_there(batch, store)
    store.write(RECORD, _document(identity, batch))
    batch.superseded = _remove_superseded(there - set(batch.tables), store)
    return batch


def _remove_superseded(names: set[str], store: Store) -> int:
    """Remove the tables of files that changed or are gone, and return how many there were."""
    tables = [name for name in sorted(names) if name.startswith("part-")]
    for name in tables:
        store.remove(name)
    return len(tables)


def _put_down(
    parts: Iterator[Part], crew: Crew, store: Store, there: set[str], batch: ClusterBatch
) -> Iterator[Part]:
    """Yield the parts in their order, each once its table is there and was counted."""
    waiting: deque[Part] = deque()
    bar = track(iter(int, 1), "Detecting", unit="images")
    next(bar)

    def counted(part: Part) -> Part:
        kept = part.table in there
        counts = _kept(part, store) if kept else crew.wait_for(part)
        batch.rows += counts.rows
        batch.kept += counts.rows if kept else 0
        batch.decisions.update(counts.decisions)
        batch.seen += counts.seen
        for _ in range(counts.rows):
            next(bar)
        return part

    for part in parts:
        waiting.append(part)
        if part.table not in there:
            crew.begin(part)
        while waiting and (crew.full or len(waiting) > crew.ahead):
            yield counted(waiting.popleft())
    while waiting:
        yield counted(waiting.popleft())
    bar.close()


def _kept(part: Part, store: Store) -> Counts:
    """Return what the table of an earlier run holds.

    Raises
    ------
    InputError
        If it is damaged.
    """
    try:
        counts = counts_of(store.read(part.table))
        if counts.rows == len(part.entries):
            return counts
        why = f"it has {counts.rows} rows"
    except (OSError, ValueError) as error:  # pyarrow's errors are among these
        why = str(error)
    raise InputError(
        f"{part.table} in {store.place} is damaged: {why}. Expected {len(part.entries)} rows. "
        "Remove that file and start again."
    )


def _check_all_there(batch: ClusterBatch, store: Store) -> None:
    """Make sure that what the workers wrote is where this machine looks."""
    if missing := set(batch.tables) - store.names():
        raise OutputError(
            f"{len(missing)} of {len(batch.tables)} tables are not in {store.place}, such as "
            f"{min(missing)}. Expected a folder that all machines share, or an address."
        )


def _check(store: Store, there: set[str], identity: dict[str, object]) -> None:
    """Refuse a place that holds something else."""
    if RECORD not in there:
        if there:
            raise InputError(
                f"{store.place} holds other files. Expected an empty place, or one of this batch. "
                "Choose another with -o."
            )
        return
    try:
        kept = json.loads(store.read(RECORD))["asked"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{RECORD} in {store.place} is damaged. Expected what an earlier run of this batch "
            "wrote. Choose another place with -o."
        ) from error
    if differs := differences(kept, identity):
        raise InputError(
            f"{store.place} holds another batch. Different: {'; '.join(differs)}. Expected the "
            "same sources, model and options. Give them again, or choose another place with -o."
        )


def _document(identity: dict[str, object], batch: ClusterBatch | None) -> bytes:
    found = (
        {}
        if batch is None
        else {
            "rows": batch.rows,
            "decisions": dict(batch.decisions),
            "passed_over": batch.passed_over.to_json(),
            "tables": batch.tables,
        }
    )
    document = {
        "notice": RESEARCH_USE_ONLY,
        "finished": batch is not None,
        "asked": identity,
        **found,
    }
    return (json.dumps(document, indent=2) + "\n").encode()
