"""How far pictures can be drawn from what a model file keeps of them, and from what it once kept.

    python benchmarks/seen_privacy.py --data FOLDER [-o FILE]

FOLDER holds a manifest.csv with the columns path and source. An attacker has the pictures of half
of the sources, learns from them how to draw a head (48 × 48) from what is kept, and draws those
of the other sources, of which he has only what is kept. He is taken to have undone the hashes: he
knows all twelve sets of marks in clear. Writes benchmarks/results/seen_privacy.csv: the correlation
with the true head, and with its difference from the mean head.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.common.csv_files import read_csv, write_csv
from tumorscope.duplicates import marks
from tumorscope.duplicates.enrolment import USUAL
from tumorscope.duplicates.frequencies import canonical_head, frequencies
from tumorscope.duplicates.thumbprint import thumbprint
from tumorscope.imaging import prepare, read_slice

Rows = NDArray[np.float32]
Draw = Callable[[Rows], Rows]

RESULTS = Path(__file__).parent / "results" / "seen_privacy.csv"
SOFT = 30.0
DRAWN = 400
NEIGHBOURS = 20


def taken_up(data: Path, records: list[dict[str, str]]) -> tuple[Rows, Rows, Rows]:
    """Return heads, what marks are made of in the middle of its steps, and former thumbprints."""
    heads, numbers, prints = [], [], []
    for record in records:
        scan = read_slice(data / record["path"])
        prepared = prepare(scan, USUAL)
        head, found = canonical_head(prepared), frequencies(prepared)
        if head is None or not found.any():
            continue
        heads.append(head.ravel())
        numbers.append(marks.steps_of(found))
        print_ = thumbprint(scan)
        bits = np.unpackbits(print_[32:]).astype(np.float32) * 2.0 - 1.0
        prints.append(np.concatenate([print_[:32] >> 4, print_[:32] & 15, 4.0 * bits]))
    return tuple(np.array(each, dtype=np.float32) for each in (heads, numbers, prints))  # type: ignore[return-value]


def learnt(known: Rows, heads: Rows) -> Draw:
    """Return the linear map from what is kept to heads that fits best (ridge regression)."""
    middle, mean = known.mean(axis=0), heads.mean(axis=0)
    centred = known - middle
    gram = centred.T @ centred + SOFT * np.eye(known.shape[1], dtype=np.float32)
    weights = np.linalg.solve(gram, centred.T @ (heads - mean))
    return lambda asked: mean + (asked - middle) @ weights


def nearest(asked: Rows, pool: Rows) -> NDArray[np.intp]:
    """Return which of the pool is nearest to each."""
    found: NDArray[np.intp] = np.argmin((pool**2).sum(axis=1) - 2.0 * asked @ pool.T, axis=1)
    return found


def alike(drawn: Rows, heads: Rows) -> float:
    """Return the mean correlation of what was drawn with the heads."""
    one = drawn - drawn.mean(axis=1, keepdims=True)
    other = heads - heads.mean(axis=1, keepdims=True)
    both = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    return float(((one * other).sum(axis=1) / np.maximum(both, 1e-6)).mean())


def joined(
    own: Rows, kept: Rows, start: NDArray[np.intp], *, by_neighbours: bool
) -> tuple[Rows, float]:
    """Join marks to pictures: to the first mark of some, the likeliest second one, and so on.

    What the next mark looks like is foretold by a joint normal distribution of the attacker's own
    pictures, or by those of them that are most like what is joined so far. Returns the numbers of
    the joined pictures, and the share of marks that was joined rightly.
    """
    first = np.arange(marks.OF_EACH)
    found, right = kept[start][:, first], []
    covariance = np.cov(own.T) + 0.05 * np.eye(own.shape[1])
    mean = own.mean(axis=0)
    for mark in range(1, marks.COUNT):
        so_far = np.arange(mark * marks.OF_EACH)
        columns = so_far[-1] + 1 + first
        if by_neighbours:
            far = (own[:, so_far] ** 2).sum(axis=1) - 2.0 * found @ own[:, so_far].T
            near = np.argpartition(far, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
            chosen = nearest(own[near][:, :, columns].mean(axis=1), kept[:, columns])
        else:
            weights = np.linalg.solve(
                covariance[np.ix_(so_far, so_far)], covariance[np.ix_(so_far, columns)]
            )
            left = covariance[np.ix_(columns, columns)] - (
                covariance[np.ix_(columns, so_far)] @ weights
            )
            scale = np.linalg.cholesky(np.linalg.inv(left))
            foretold = mean[columns] + (found - mean[so_far]) @ weights
            asked = (foretold @ scale).astype(np.float32)
            chosen = nearest(asked, (kept[:, columns] @ scale).astype(np.float32))
        right.append(float((chosen == start).mean()))
        found = np.concatenate([found, kept[chosen][:, columns]], axis=1).astype(np.float32)
    return found, float(np.mean(right))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    listed = read_csv(arguments.data / "manifest.csv")
    records = [each for each in listed if each["source"] != "outlined"]
    sources = sorted({each["source"] for each in records})
    halves = [[each for each in records if each["source"] in sources[part::2]] for part in (0, 1)]
    (own, own_kept, own_prints), (heads, kept, prints) = (
        taken_up(arguments.data, each) for each in halves
    )
    mean = own.mean(axis=0)
    lines: list[dict[str, object]] = []

    def tell(what: str, drawn: Rows, true: Rows, joined_rightly: float | None = None) -> None:
        line: dict[str, object] = {
            "attack": what,
            "pictures": len(true),
            "correlation": f"{alike(drawn, true):.3f}",
            "beyond_the_mean": f"{alike(drawn - mean, true - mean):.3f}",
            "joined_rightly": "" if joined_rightly is None else f"{joined_rightly:.4f}",
        }
        lines.append(line)
        print(line, flush=True)

    rng = np.random.default_rng(0)
    nothing = mean + 1e-3 * rng.standard_normal(heads.shape).astype(np.float32)
    tell("nothing is kept: the mean head", nothing, heads)
    tell("thumbprints of version 2", learnt(own_prints, own)(prints), heads)
    whole = learnt(own_kept, own)
    tell("all twelve marks, if it were kept which belong together", whole(kept), heads)
    for mark in range(marks.COUNT):
        part = slice(mark * marks.OF_EACH, (mark + 1) * marks.OF_EACH)
        tell(f"mark {mark + 1} alone", learnt(own_kept[:, part], own)(kept[:, part]), heads)
    some = rng.choice(len(kept), min(DRAWN, len(kept)), replace=False)
    for name, by_neighbours in (("a normal distribution", False), ("own neighbours", True)):
        found, right = joined(own_kept, kept, some, by_neighbours=by_neighbours)
        tell(f"marks joined by {name}", whole(found), heads[some], right)
    write_csv(arguments.output, tuple(lines[0]), lines)
    print(f"{len(own)} pictures of the attacker, {len(heads)} of others")


if __name__ == "__main__":
    main()
