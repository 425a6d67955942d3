"""``tumorscope describe``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.cli.app import emit
from tumorscope.cli.options import Common, Flag
from tumorscope.common.columns import aligned
from tumorscope.common.errors import UsageError

if TYPE_CHECKING:
    from tumorscope.model_file.schema import Metadata


def describe(
    model: Path | None = None,
    /,
    *,
    recipe: str | None = None,
    toml: Flag = False,
    common: Common | None = None,
) -> None:
    """Print what a model file says of itself, or the layers of a recipe's network.

    For a recipe: layers, output shapes and parameters, the paper's Figure 2.

    Example:

        tumorscope describe packaged
        tumorscope describe runs/first/model.onnx
        tumorscope describe --recipe paper

    Parameters
    ----------
    model
        A model file, or packaged, the one that comes with tumorscope: its card, operating points
        and input check are printed; with --json all of its metadata.
    recipe
        recommended, paper (the default), reference, demo, or a TOML file; not beside a model.
    toml
        Print the recipe itself, every key written out, to start a recipe of your own from.
    """
    common = common or Common()
    if model is not None and (recipe is not None or toml):
        given = "--toml" if recipe is None else f"--recipe {recipe}"
        raise UsageError(
            f"Received the model {model} and {given}. Expected a model file, which is described "
            "by what it holds, or a recipe. Leave one of them out."
        )
    if model is not None:
        from tumorscope.detection.detector import model_path

        _describe_model(model_path(model), common)
        return
    from tumorscope.recipes.recipe import Recipe

    chosen = Recipe.load(recipe or "paper")
    if toml:
        emit(common, chosen.model_dump(mode="json"), chosen.to_toml().rstrip())
        return
    from tumorscope.networks.network import build, summarise

    network = build(chosen)
    layers = summarise(network)
    rows = [(each.layer, each.output_shape, f"{each.parameters:,}") for each in layers]
    header = ("Layer (type)", "Output shape", "Param #")
    total = network.count_params()
    document = {
        "recipe": chosen.name,
        "input_shape": list(network.input_shape[1:]),
        "layers": [asdict(each) for each in layers],
        "parameters": total,
    }
    emit(common, document, f"{aligned((header, *rows), right=[2])}\nTotal parameters: {total:,}")


def _describe_model(path: Path, common: Common) -> None:
    from tumorscope.model_file.other_formats import read_any

    model = read_any(path)
    metadata = model.metadata
    document = metadata.model_dump(mode="json")
    # Nobody reads thumbprints.
    document["seen"] = {"version": metadata.seen.version, "count": metadata.seen.total}
    for name, zone in _zones(metadata).items():
        document["operating_points"][name]["abstains"] = list(zone)
    how, points = metadata.preprocessing, metadata.operating_points
    rows = [
        ("model", metadata.id),
        ("made", metadata.created),
        ("file", f"{len(model.graph) / 1e6:.2f} MB, weights {metadata.precision}"),
        (
            "input",
            f"uint8 [n, {how.size}, {how.size}], {how.crop} crop, {how.fit}, {how.intensity}",
        ),
        ("evidence", f"{metadata.grid[0]} × {metadata.grid[1]}"),
        *_decisions(metadata),
        *_of_series(metadata),
        ("knows", f"{metadata.seen.total} images of its training and tuning"),
    ]
    if any(point.sensitivity and not point.abstained for point in points.values()):
        rows.append(
            (
                "card",
                "of an older version, whose rule for abstaining was another: its section on "
                "abstention does not hold for these ranges",
            )
        )
    emit(common, {"id": metadata.id, **document}, f"{aligned(rows)}\n\n{metadata.card}".rstrip())


def _decisions(metadata: Metadata) -> list[tuple[str, str]]:
    """Return what each operating point answers, by the rule that decides today."""
    found = []
    for name, (low, high) in _zones(metadata).items():
        found.append(
            (
                name,
                f"threshold {metadata.operating_points[name].threshold:.3f}; no tumour below "
                f"{low:.3f}, tumour above {high:.3f}, no answer between",
            )
        )
    return found


def _of_series(metadata: Metadata) -> list[tuple[str, str]]:
    """Return how series of each plane are answered, where the model holds a rule for them."""
    return [
        (
            f"series, {plane}",
            f"no tumour below a score of {level.no_tumour:.2f}, tumour at {level.tumour:.2f} and "
            "above, no answer between",
        )
        for plane, level in (metadata.series.levels.items() if metadata.series else ())
    ]


def _zones(metadata: Metadata) -> dict[str, tuple[float, float]]:
    from tumorscope.detection.rules import rule_of

    return {name: rule_of(metadata, name).zone for name in metadata.operating_points}
