"""Normalised heads → pairs that show the same picture → groups that a split must keep whole.

Candidates come from comparing every layout with every other in 120 views (turned, mirrored,
tilted, zoomed) by matrix products; each candidate is then verified by registration
(`tumorscope.duplicates.alignment`). Limits were set on public images with a grouping checked by
eye; docs/how-to/read-the-audit.md says what they find and what they miss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np

from tumorscope.common.cores import in_threads
from tumorscope.common.progress import track
from tumorscope.common.sets import Sets
from tumorscope.duplicates.alignment import agreement
from tumorscope.duplicates.normalised_head import VIEWS, NormalisedHead, layout, view_matrix, views

SUSPICION = 0.3
"""Cosine of layouts above which a pair is verified. Low, because a crop of a tenth of the head
costs half of the likeness, and still leaves the picture among the most alike."""

NEIGHBOURS = 32
"""At most so many candidates per image, the most alike."""

PATIENCE = 8
"""An image whose candidates failed so often is given up: copies come far ahead of other heads."""

STARTS = 3
HALFWAY = 0.35
"""Where a registration ends between this and `SAME_PICTURE`, it starts again from the next best
view, up to `STARTS` times: it may have stuck on the way."""

THOROUGH = 2
"""Only for the first so many failures of an image does a registration start again."""

SAME_PICTURE = 0.8
"""Agreement above which two images are copies of one picture.

Set on some 8,800 candidate pairs of public images: 99.8 % of the copies lie above. Neighbouring
slices of one patient may lie above as well and are then joined, which does a split no harm; of
the other pairs above 0.75, looked through by eye, none showed two patients.
"""

_ROUND = 64
_QUERIES = 32  # views of so many images are multiplied at a time: 100 MB against 7,000 others

Heads = Sequence[NormalisedHead]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images that show the same picture, by their positions, and how far they agree."""

    first: int
    second: int
    agreement: float


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A query and a known image by their positions, and the query's views that look most alike."""

    query: int
    known: int
    views: tuple[int, ...]
    likeness: float


def near_pairs(heads: Heads) -> list[Pair]:
    """Find pairs that show the same picture, enough of them to connect each set of copies.

    Parameters
    ----------
    heads : sequence of NormalisedHead
        One per image.

    Returns
    -------
    list of Pair
        The most alike first. A pair whose images are connected already is left out.
    """
    best: dict[tuple[int, int], _Candidate] = {}
    for one in _candidates(heads, heads, "Comparing"):
        key = (min(one.query, one.known), max(one.query, one.known))
        if one.query != one.known and (key not in best or one.likeness > best[key].likeness):
            best[key] = one
    ordered = sorted(best.values(), key=lambda one: (-one.likeness, one.query, one.known))
    copies: Sets[int] = Sets()
    failures = [0] * len(heads)
    pairs = []

    def promising(one: _Candidate) -> bool:
        patient = min(failures[one.query], failures[one.known]) < PATIENCE
        return patient and copies.find(one.query) != copies.find(one.known)

    for one, score in _rounds(
        ordered,
        promising,
        lambda one: _verify(
            heads[one.known],
            heads[one.query],
            one,
            thorough=min(failures[one.query], failures[one.known]) < THOROUGH,
        ),
    ):
        if score >= SAME_PICTURE:
            if copies.find(one.query) != copies.find(one.known):
                copies.join(one.query, one.known)
                pairs.append(Pair(one.query, one.known, score))
        else:
            failures[one.query] += 1
            failures[one.known] += 1
    return pairs


def matching(heads: Heads, known: Heads) -> dict[int, list[int]]:
    """Return, for each head that shows a known picture, the positions of its copies in `known`.

    Both sides are looked at in all views, because a zoom finds a crop in one direction only.
    """
    best = {(one.query, one.known): one for one in _candidates(heads, known, "Comparing")}
    backward: dict[tuple[int, int], _Candidate] = {}
    for one in _candidates(known, heads, "Comparing back"):
        key = (one.known, one.query)
        if key not in best or one.likeness > best[key].likeness:
            backward[key] = one
    best |= backward
    ordered = sorted(best.items(), key=lambda item: (-item[1].likeness, item[0]))
    failures = [0] * len(heads)
    matches: dict[int, list[int]] = {}

    def verify(item: tuple[tuple[int, int], _Candidate]) -> float:
        (mine, theirs), one = item
        thorough = failures[mine] < THOROUGH
        if (mine, theirs) in backward:
            return _verify(heads[mine], known[theirs], one, thorough=thorough)
        return _verify(known[theirs], heads[mine], one, thorough=thorough)

    for ((mine, theirs), _), score in _rounds(
        ordered, lambda item: failures[item[0][0]] < PATIENCE, verify
    ):
        if score >= SAME_PICTURE:
            matches.setdefault(mine, []).append(theirs)
        else:
            failures[mine] += 1
    return {index: sorted(matches[index]) for index in sorted(matches)}


def _candidates(queries: Heads, known: Heads, label: str) -> Iterator[_Candidate]:
    """Yield, query by query, the known images most alike; an image is its own candidate."""
    if not queries or not known:
        return
    vectors = np.stack([layout(one) for one in known])
    count = min(NEIGHBOURS + 1, len(known))
    for start in track(range(0, len(queries), _QUERIES), label):
        block = np.stack(in_threads(views, queries[start : start + _QUERIES]))
        likeness = (block.reshape(-1, block.shape[2]) @ vectors.T).reshape(
            len(block), len(VIEWS), -1
        )
        most = likeness.max(axis=1)
        nearest = np.argpartition(-most, count - 1, axis=1)[:, :count]
        for row, columns in enumerate(nearest):
            for column in columns[most[row, columns] >= SUSPICION]:
                best = np.argsort(-likeness[row, :, column], kind="stable")[:STARTS]
                yield _Candidate(
                    start + row, int(column), tuple(best.tolist()), float(most[row, column])
                )


def _rounds(
    ordered: Sequence[T], promising: Callable[[T], bool], verify: Callable[[T], float]
) -> Iterator[tuple[T, float]]:
    """Yield candidates with their agreement, in rounds: later ones learn from earlier ones."""
    todo = iter(track(ordered, "Verifying"))
    while batch := list(islice(todo, _ROUND)):
        batch = [one for one in batch if promising(one)]
        yield from zip(batch, in_threads(verify, batch), strict=True)


def _verify(
    still: NormalisedHead, moving: NormalisedHead, candidate: _Candidate, *, thorough: bool
) -> float:
    best = 0.0
    for view in candidate.views[: STARTS if thorough else 1]:
        start = view_matrix(*VIEWS[view], moving.aspect)
        best = max(best, agreement(still, moving, start))
        if not HALFWAY < best < SAME_PICTURE:
            break
    return best
