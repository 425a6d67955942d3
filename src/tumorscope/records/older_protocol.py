"""Protocols that older versions wrote as text, read strictly."""

from __future__ import annotations

import re
from pathlib import Path

from tumorscope.common.errors import InputError
from tumorscope.networks.systems import lookup
from tumorscope.networks.weights import canonical
from tumorscope.recipes.origin import parse_weights
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.protocol import Cohort, Protocol

_LINES = re.compile(
    r"weights = (?P<weights>[^\n]+)\n"
    r"folds = (?P<folds>\d+)\n"
    r"repeats = (?P<repeats>\d+)\n"
    r"split = (?P<split>group|random)\n"
    r"(?P<hold_out>(?:hold out = [^\n]*\n)*)"
    r"data = (?P<data>[0-9a-f]{64})\n"
    r"(?:method = (?P<method>[^\n]+)\n)?"
)
"""Below the recipe as TOML and an empty line."""


def parse_older(text: str, *, origin: str | Path) -> Protocol:
    """Read the text of a ``protocol.txt``.

    Raises
    ------
    InputError
        If it is none that tumorscope wrote.
    """
    toml, _, rest = text.rpartition("\n\nweights = ")
    found = _LINES.fullmatch(f"weights = {rest}")
    if not toml or found is None:
        raise InputError(
            f"{origin} does not say what these folds were made by. Expected the recipe and the "
            "lines that tumorscope wrote. Cross-validate again into another folder."
        )
    recipe = Recipe.from_toml(toml + "\n", origin=str(origin))
    # Folds of a comparison had their starting weights in the name of the method.
    method, _, given = (found["method"] or "").partition(" from ")
    backbones = lookup(method).backbones if given else (recipe.network.backbone,)
    sentences = given.split("; ") if given else [found["weights"]]
    if len(sentences) != len(backbones):
        raise InputError(
            f"{origin} names {len(sentences)} starting weights for {len(backbones)} backbones. "
            "Expected one for each. Compare again into another folder."
        )
    return Protocol(
        recipe=recipe,
        weights=tuple(
            canonical(parse_weights(sentence), name)
            for sentence, name in zip(sentences, backbones, strict=True)
        ),
        data=Cohort(sha256=found["data"]),
        split="random" if found["split"] == "random" else "group",
        method=method,
        folds=int(found["folds"]),
        repeats=int(found["repeats"]),
        hold_out=tuple(
            tuple(sorted(line.removeprefix("hold out = ").split(",")))
            for line in found["hold_out"].splitlines()
        ),
    )
