"""Everything that decides a training run, as one frozen object read from TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from tumorscope.common.errors import InputError
from tumorscope.common.limits import MOST_SEED
from tumorscope.common.text import SAVE_AS_UTF8, NotTextError, read_text
from tumorscope.common.toml_text import toml_text
from tumorscope.recipes.parts import (
    Augmentation,
    Data,
    FineTuning,
    Finishing,
    Frozen,
    Input,
    Network,
    Optimisation,
    Part,
    Quantised,
    Sampling,
    Task,
)

SHIPPED = ("demo", "paper", "recommended", "reference")
"""Recipes in the package, usable by name."""

LATER = (
    ("network", "channels"),
    ("network", "temperature"),
    ("optimisation", "places"),
    ("quantised", "epochs"),
    ("quantised", "learning_rate"),
)
"""Keys that recipes have gained since searches were told apart by their text."""

CORRECTS_TWICE = (
    "The recipe evens out its classes twice: sampling.by is “source”, which draws them as often "
    "as sampling.tumour_share says, and optimisation.class_weights is “balanced”, which weighs "
    "them by the inverse of their share among the files. The rarer class counts too much."
)


class Recipe(Part):
    """Everything that decides a training run.

    The defaults are those of the paper *Brain Tumour Detection Using MobileNetV2*, except where
    the paper is silent; `paper.toml` says which is which.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    description: str = ""
    seed: Annotated[int, Field(ge=0, le=MOST_SEED)] = 0
    task: Task = "tumour"
    """"tumour": is there one? "tumour-type": no tumour, glioma, meningioma or pituitary tumour?"""
    data: Data = Data()
    input: Input = Input()
    sampling: Sampling = Sampling()
    augmentation: Augmentation = Augmentation()
    network: Network = Network()
    frozen: Frozen = Frozen()
    fine_tuning: FineTuning = FineTuning()
    finishing: Finishing = Finishing()
    quantised: Quantised = Quantised()
    optimisation: Optimisation = Optimisation()

    @model_validator(mode="before")
    @classmethod
    def _corrects_once(cls, values: object) -> object:
        """Weigh no classes that are already drawn evenly, unless the recipe says so itself."""
        if isinstance(values, dict) and isinstance(values.get("sampling"), dict):
            options = values.get("optimisation", {})
            by_source = values["sampling"].get("by") == "source"
            if by_source and isinstance(options, dict) and "class_weights" not in options:
                return {**values, "optimisation": {**options, "class_weights": "none"}}
        return values

    @model_validator(mode="after")
    def _trains_at_all(self) -> Recipe:
        phases = (self.frozen, self.fine_tuning, self.finishing, self.quantised)
        if not any(phase.epochs for phase in phases):
            raise ValueError(
                "frozen.epochs, fine_tuning.epochs, finishing.epochs and quantised.epochs are all "
                "0; nothing would train"
            )
        return self

    @model_validator(mode="after")
    def _draws_no_lesions_of_no_type(self) -> Recipe:
        if self.task == "tumour-type" and self.augmentation.lesions:
            raise ValueError(
                f"augmentation.lesions is {self.augmentation.lesions:g}, but made-up lesions have "
                'no type; task = "tumour-type" needs 0'
            )
        return self

    @model_validator(mode="after")
    def _trains_at_a_possible_size(self) -> Recipe:
        tuned = self.fine_tuning
        if tuned.size and (
            self.network.head == "flatten"
            or tuned.from_layer != "input"
            or tuned.size % 32
            or self.input.size % 32
        ):
            raise ValueError(
                f"fine_tuning.size is {tuned.size}; it needs the pooled or the dense head, "
                'from_layer = "input", and multiples of 32 for it and input.size'
            )
        return self

    @model_validator(mode="after")
    def _trains_on_places_it_has(self) -> Recipe:
        places, head = self.optimisation.places, self.network.head
        if places and (head != "dense" or self.task != "tumour"):
            raise ValueError(
                f"optimisation.places is {places:g}; a loss on places needs network.head = "
                f'"dense" and task = "tumour", and these are "{head}" and "{self.task}". Set it '
                "to 0 otherwise"
            )
        return self

    @classmethod
    def load(cls, name_or_path: str | Path) -> Recipe:
        """Read a recipe that ships with the package, by name, or a TOML file.

        Raises
        ------
        InputError
            If there is no such recipe, it is not TOML, or a key or value is not allowed.
        """
        text, origin = _text_of(name_or_path)
        return cls.from_toml(text, origin=str(origin))

    @classmethod
    def from_toml(cls, text: str, *, origin: str = "recipe") -> Recipe:
        """Read a recipe from TOML; see `load`."""
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputError(
                f"The recipe {origin} is not valid TOML: {error}. Expected a file like the one "
                "that `tumorscope describe --recipe paper --toml` prints."
            ) from error
        return cls.parse(values, origin=origin)

    @classmethod
    def of(cls, recipe: str | Path | Recipe) -> Recipe:
        """Return what `load` reads; a recipe is returned once its values were checked again.

        Raises
        ------
        InputError
            As `load` does.
        """
        if isinstance(recipe, Recipe):
            return cls.parse(recipe.model_dump(), origin=recipe.name)
        return cls.load(recipe)

    @classmethod
    def parse(cls, values: dict[str, object], *, origin: str = "recipe") -> Recipe:
        """Check plain values, as read from TOML or JSON; see `load`."""
        try:
            return cls.model_validate(_tuples(values))
        except ValidationError as error:
            raise InputError(_explain(error, origin)) from error

    def for_task(self, task: Task) -> Recipe:
        """Return the recipe for another task.

        Made-up lesions are left out where they have no type, and so is the loss on places.
        Validated again, so every value is as if it had been read from a file.
        """
        untyped = {"augmentation.lesions": 0.0, "optimisation.places": 0.0}
        return self.changed({"task": task, **(untyped if task == "tumour-type" else {})})

    def changed(self, values: Mapping[str, object], *, origin: str = "recipe") -> Recipe:
        """Return the recipe with other values, by dotted keys; all are checked as those of a file.

        Pydantic's own ``model_copy(update=…)`` checks nothing.

        Raises
        ------
        InputError
            If a recipe has no such key, or does not allow the value.

        Examples
        --------
        >>> Recipe.load("paper").changed({"seed": 3, "name": "other"}).seed
        3
        """
        document: dict[str, object] = self.model_dump()
        for key, value in values.items():
            *parts, last = key.split(".")
            place: object = document
            for part in parts:
                place = place.get(part) if isinstance(place, dict) else None
            if not isinstance(place, dict) or last not in place:
                raise InputError(
                    f"The {origin} names {key}, which is not a key of a recipe. Expected keys "
                    "such as fine_tuning.learning_rate; docs/reference/recipe.md lists them."
                )
            place[last] = value
        return Recipe.parse(document, origin=origin)

    def follows(self, other: Recipe) -> bool:
        """Whether the network, and what it is shown, are those of another recipe.

        Neither names nor epochs nor learning rates matter.

        Examples
        --------
        >>> paper = Recipe.load("paper")
        >>> paper.changed({"name": "mine", "frozen.epochs": 5}).follows(paper)
        True
        >>> Recipe.load("recommended").follows(paper)
        False
        """
        return (self.task, self.input, self.network) == (other.task, other.input, other.network)

    @property
    def trains_on_places(self) -> bool:
        """Whether training looks at where lesions are, and so at their masks."""
        return self.optimisation.places > 0.0

    @property
    def corrects_twice(self) -> bool:
        """Whether rare classes are both shown more often and weighed more."""
        return self.sampling.by == "source" and self.optimisation.class_weights == "balanced"

    def to_toml(self) -> str:
        """Return the recipe as TOML, every value written out, so that it can be read back."""
        return toml_text(self.model_dump())

    def to_former_toml(self) -> str:
        """Return the recipe as TOML without `LATER` keys at their defaults, which change nothing.

        What versions before these keys wrote, and told results apart by.
        """
        document = self.model_dump()
        for table, key in LATER:
            default = type(getattr(self, table)).model_fields[key].default
            if document[table][key] == default:
                del document[table][key]
            if not document[table]:
                del document[table]
        return toml_text(document)


def _text_of(name_or_path: str | Path) -> tuple[str, str | Path]:
    if str(name_or_path) in SHIPPED:
        resource = files("tumorscope.recipes").joinpath(f"shipped/{name_or_path}.toml")
        return resource.read_text("utf-8"), name_or_path
    path = Path(name_or_path)
    try:
        return read_text(path), path
    except (OSError, NotTextError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"{error}. {SAVE_AS_UTF8}"
        raise InputError(
            f"Cannot read the recipe {path}: {reason}. Expected one of {', '.join(SHIPPED)}, or "
            "the path of a TOML file."
        ) from error


def _tuples(values: dict[str, object]) -> dict[str, object]:
    # Strict validation takes no list for a tuple, and TOML knows only lists.
    data = values.get("data")
    if isinstance(data, dict) and isinstance(data.get("fractions"), list):
        values = {**values, "data": {**data, "fractions": tuple(data["fractions"])}}
    return values


def _explain(error: ValidationError, origin: str) -> str:
    problems = []
    for item in error.errors(include_url=False):
        key = ".".join(str(part) for part in item["loc"]) or "recipe"
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            problems.append(f"{key} is not a key of a recipe")
        elif item["type"] == "missing":
            problems.append(f"{key} is missing")
        else:
            received = "" if isinstance(item["input"], dict) else f" (received {item['input']!r})"
            problems.append(f"{key}: {message}{received}")
    return (
        f"The recipe {origin} cannot be used: {'; '.join(problems)}. Correct it; "
        "`tumorscope describe --recipe paper --toml` prints every key with a value that works."
    )
