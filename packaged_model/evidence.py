"""Where the evidence of models lies on the lesions of sources that they never saw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from packaged_model.holdout import Fold
from tumorscope.assessment.lesion_masks import point_at_masks
from tumorscope.model_file.onnx_file import read_model
from tumorscope.statistics.pointing_game import Localisation

SHARES = ("hits", "hits_low", "hits_high", "inside", "inside_low", "inside_high")


def pointing_records(folds: Iterable[Fold]) -> Iterator[dict[str, object]]:
    """Yield a row for each source left out that has masks of lesions.

    ``hits`` is the share of images whose strongest spot lies inside the lesion, ``inside`` the
    share of the positive evidence that does; each with its interval, and beside chance.
    """
    for fold in folds:
        model, tested = read_model(fold.run.folder / "model.onnx"), fold.tested.usable
        for source in fold.sources:
            outlined = tested.having(
                row for row in tested.rows if row.source == source and row.mask
            )
            found = point_at_masks(model, outlined)
            if found is None:
                continue
            yield {
                "source": source,
                "images": len(outlined),
                "groups": len(set(outlined.groups.tolist())),
                **_shares(found.evidence, ""),
                **_shares(found.chance, "_by_chance"),
            }


def _shares(found: Localisation, ending: str) -> dict[str, object]:
    record: dict[str, object] = {}
    for name, estimate in (("hits", found.hits), ("inside", found.mass)):
        record[f"{name}{ending}"] = f"{estimate.value:.3f}"
        if not ending:
            record[f"{name}_low"] = f"{estimate.low:.3f}"
            record[f"{name}_high"] = f"{estimate.high:.3f}"
    return record
