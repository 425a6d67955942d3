"""Which keys of a recipe a search may change, and how far."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from tumorscope.common.errors import InputError
from tumorscope.common.text import NotTextError, read_text
from tumorscope.recipes.recipe import Recipe

if TYPE_CHECKING:
    import optuna

Value = bool | int | float | str

FIXED = ("name", "seed", "task")
"""Keys that are the same for all trials: another seed finds luck, and another task is another
search."""


class Range(BaseModel):
    """A number from `low` to `high`, by its logarithm where `log` says so; or one of `choices`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    choices: list[Value] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Range:
        if self.choices is not None:
            if not self.choices or self.low is not None or self.high is not None or self.log:
                raise ValueError("choices are a list with something in it, without low, high, log")
            return self
        if self.low is None or self.high is None or not self.low < self.high:
            raise ValueError("expected low below high, or choices")
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError("low and high must be finite")
        if self.log and self.low <= 0:
            raise ValueError("low must be above 0 where log = true")
        return self


Space = Mapping[str, Range]


def load_space(path: str | Path | None, base: Recipe) -> dict[str, Range]:
    """Read a search space, and try its ends on a recipe.

    Parameters
    ----------
    path : path or None
        A TOML file; None is the one in the package.
    base : Recipe
        What is not searched comes from it.

    Raises
    ------
    InputError
        If it cannot be read, names no key of a recipe, or allows values that a recipe does not.
    """
    origin = "of the package" if path is None else str(path)
    try:
        if path is None:
            resource = files("tumorscope.experiments.search").joinpath("spaces/default.toml")
            text = resource.read_text("utf-8")
        else:
            text = read_text(Path(path))
        values = tomllib.loads(text)
        space = {key: Range.model_validate(value) for key, value in values.items()}
    except (OSError, NotTextError, tomllib.TOMLDecodeError) as error:
        raise InputError(
            f"Cannot read the search space {origin}: {error}. Expected a TOML file with lines such "
            'as "network.dropout" = {low = 0.0, high = 0.5}.'
        ) from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise InputError(
            f"The search space {origin} cannot be used: {problem['msg']} (received "
            f'{problem["input"]!r}). Expected lines such as "network.dropout" = '
            "{low = 0.0, high = 0.5} or {choices = [0.0, 0.2]}."
        ) from error
    if not space:
        raise InputError(f"The search space {origin} is empty; expected at least one key.")
    fixed = [key for key in space if key in FIXED]
    if fixed:
        raise InputError(
            f"The search space {origin} names {fixed[0]}, which all trials share. Expected other "
            f"keys of a recipe than {', '.join(FIXED)}. Leave it out, and set it in the recipe."
        )
    for key, span in space.items():
        for value in span.choices if span.choices is not None else (span.low, span.high):
            assert value is not None
            changed(base, {key: _typed(base, key, value, origin)})
    return space


def suggest(trial: optuna.Trial, space: Space, base: Recipe) -> dict[str, Value]:
    """Let a trial choose a value for every key of the space."""
    chosen: dict[str, Value] = {}
    for key, span in space.items():
        if span.choices is not None:
            choice = trial.suggest_categorical(key, span.choices)
            assert choice is not None
            chosen[key] = choice
        elif _whole(span, current(base, key)):
            assert span.low is not None
            assert span.high is not None
            chosen[key] = trial.suggest_int(key, int(span.low), int(span.high), log=span.log)
        else:
            assert span.low is not None
            assert span.high is not None
            chosen[key] = trial.suggest_float(key, float(span.low), float(span.high), log=span.log)
    return chosen


def changed(base: Recipe, values: Mapping[str, Value], *, name: str | None = None) -> Recipe:
    """Return the recipe with other values, by dotted keys.

    Raises
    ------
    InputError
        If a recipe has no such key, or does not allow the value.
    """
    named = {} if name is None else {"name": name}
    return base.changed({**values, **named}, origin="search space")


def current(base: Recipe, key: str) -> object:
    """Return what a recipe says of a dotted key."""
    place: Any = base.model_dump()
    for part in key.split("."):
        place = place.get(part) if isinstance(place, dict) else None
    return place


def _whole(span: Range, now: object) -> bool:
    """Whether a range is of whole numbers; where the recipe has no value now, its ends decide."""
    if now is None:
        return isinstance(span.low, int) and isinstance(span.high, int)
    return isinstance(now, int)


def _typed(base: Recipe, key: str, value: Value, origin: str) -> Value:
    """Return a number as the recipe has it: TOML writes 1 for 1.0."""
    now = current(base, key)
    if isinstance(now, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(now, int) and not isinstance(now, bool) and isinstance(value, float):
        if value != int(value):
            raise InputError(
                f"The search space {origin} gives {key} the value {value}; expected whole numbers."
            )
        return int(value)
    return value
