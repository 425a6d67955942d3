"""``tumorscope describe``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from tumorscope.cli.app import Common, emit


def describe(
    *,
    recipe: str = "paper",
    toml: Annotated[bool, Parameter(negative="")] = False,
    common: Common | None = None,
) -> None:
    """Print layers, output shapes and parameters of a recipe's network (the paper's Figure 2).

    Example: `tumorscope describe --recipe paper`

    Parameters
    ----------
    recipe
        paper, demo, or a TOML file.
    toml
        Print the recipe itself, every key written out, to start a recipe of your own from.
    """
    from tumorscope.training.recipe import Recipe

    common = common or Common()
    chosen = Recipe.load(recipe)
    if toml:
        emit(common, chosen.model_dump(mode="json"), chosen.to_toml().rstrip())
        return
    from tumorscope.training.network import build, summarise

    model = build(chosen)
    layers = summarise(model)
    rows = [(each.layer, each.output_shape, f"{each.parameters:,}") for each in layers]
    header = ("Layer (type)", "Output shape", "Param #")
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(3)]
    lines = [
        f"{name:<{widths[0]}}  {shape:<{widths[1]}}  {count:>{widths[2]}}"
        for name, shape, count in (header, *rows)
    ]
    total = model.count_params()
    document = {
        "recipe": chosen.name,
        "input_shape": list(model.input_shape[1:]),
        "layers": [asdict(each) for each in layers],
        "parameters": total,
    }
    emit(common, document, "\n".join((*lines, f"Total parameters: {total:,}")))
