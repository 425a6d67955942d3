"""The protocol of a cross-validation, read from its folder, also where older versions wrote it."""

from __future__ import annotations

import re
from pathlib import Path

from tumorscope.common.errors import InputError
from tumorscope.networks.systems import lookup
from tumorscope.networks.weights import canonical
from tumorscope.recipes.origin import parse_weights
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.protocol import (
    Cohort,
    Protocol,
    parse_protocol,
)

PROTOCOL, OLDER = Path("folds", "protocol.json"), Path("folds", "protocol.txt")
"""In the folder of a cross-validation; versions before the first wrote the second."""


def read_protocol(folder: Path) -> Protocol:
    """Return what the folds of a cross-validation were made by.

    Raises
    ------
    InputError
        If nothing says so, or it cannot be read.
    """
    for path, parse in ((folder / PROTOCOL, parse_protocol), (folder / OLDER, parse_older)):
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"Cannot read {path}: {error}. Expected what `tumorscope crossval` wrote. "
                "Cross-validate again into another folder."
            ) from error
        return parse(text, origin=path)
    raise InputError(
        f"{folder} does not say what its scores were made by: there is no {PROTOCOL} in it. "
        "Expected the whole folder that `tumorscope crossval` wrote. Give that, or cross-validate "
        "again into another folder."
    )


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
