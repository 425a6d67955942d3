"""Everything that decides a training run, as one frozen object read from TOML."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tumorscope.common.errors import InputError
from tumorscope.common.limits import MOST_SEED
from tumorscope.common.text import SAVE_AS_UTF8, NotTextError, read_text
from tumorscope.imaging import Preprocessing

SHIPPED = ("demo", "paper", "recommended", "reference")
"""Recipes in the package, usable by name."""

Task = Literal["tumour", "tumour-type"]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Rate = Annotated[float, Field(gt=0.0, le=1.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)


class Data(_Part):
    """How a cohort is split where it has no split yet."""

    fractions: tuple[Rate, Rate, Rate] = (0.7, 0.15, 0.15)
    """Shares of training, tuning and internal testing; they sum to 1."""

    @model_validator(mode="after")
    def _sum_to_one(self) -> Data:
        if abs(sum(self.fractions) - 1.0) > 1e-6:
            raise ValueError(f"fractions sum to {sum(self.fractions):g}; expected 1")
        return self


class Input(_Part):
    """From a slice to the numbers that the network sees."""

    size: Annotated[int, Field(ge=32, le=1024)] = 224
    crop: Literal["none", "head"] = "none"
    fit: Literal["stretch", "pad"] = "stretch"
    intensity: Literal["none", "percentile"] = "none"
    scaling: Literal["unit", "symmetric", "imagenet", "caffe"] = "unit"
    """"unit" is x/255; "symmetric" is x/127.5 − 1, what MobileNetV2 was pretrained on; "imagenet"
    and "caffe" are what other backbones were, see `tumorscope.training.feature_store.SCALINGS`."""

    @property
    def preprocessing(self) -> Preprocessing:
        """The part that `tumorscope.imaging.prepare` does."""
        return Preprocessing(size=self.size, crop=self.crop, fit=self.fit, intensity=self.intensity)


class Sampling(_Part):
    """Which images an epoch of training shows."""

    by: Literal["image", "source"] = "image"
    """"image": every image once per epoch. "source": images are drawn, first the label, then a
    source, then a group, then an image of it, so that big sources and big groups do not drown the
    others."""
    images_per_epoch: Annotated[int, Field(ge=0)] = 0
    """Images drawn per epoch; 0 draws as many as there are."""
    tumour_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    """Share of draws that show a tumour (before lesions are drawn into the others)."""
    power: Share = 0.3
    """A source with n images is drawn in proportion to n^power: 1 as often as its images, 0 all
    sources alike."""
    weights: dict[str, Annotated[float, Field(ge=0.0)]] = {}
    """Source → factor on how often it is drawn; 1 where a source is not named."""


class Augmentation(_Part):
    """Random changes of training images; each range is symmetric about no change."""

    rotation: Annotated[float, Field(ge=0.0, le=180.0)] = 0.0
    """Largest rotation in degrees."""
    width_shift: Fraction = 0.0
    """Largest shift to the sides, as a fraction of the width."""
    height_shift: Fraction = 0.0
    """Largest shift up and down, as a fraction of the height."""
    shear: Annotated[float, Field(ge=0.0, le=60.0)] = 0.0
    """Largest shear angle in degrees."""
    zoom: Fraction = 0.0
    """Scale factors are drawn from 1 − zoom to 1 + zoom, for each axis by itself."""
    horizontal_flip: bool = False
    vertical_flip: Share = 0.0
    """Share of images that are turned upside down."""
    quarter_turns: Share = 0.0
    """Share of images that are turned by 90, 180 or 270 degrees."""
    fill: Literal["nearest", "black"] = "nearest"
    variants: Annotated[int, Field(ge=0, le=1000)] = 0
    """Distinct augmented versions of each image, used in turn; 0 draws a new one every epoch.
    Frozen layers see each version once, however often it is used."""
    lesions: Share = 0.0
    """Share of tumour-free draws into which a made-up lesion is drawn; they count as tumour. See
    `tumorscope.synthetic.lesions`."""
    strip_skull: Share = 0.0
    """Share of images whose skull is removed, where `tumorscope.imaging.brain` finds a brain."""
    draw_skull: Share = 0.0
    """Share of the other images that get a skull drawn around them."""
    acquisition: Share = 0.0
    """Share of images that are put through another scanner: resolution, blur, bias field, ghosts,
    contrast, noise, compression. See `tumorscope.synthetic.acquisition`."""
    prepare_again: Share = 0.0
    """Share of changed images that are cropped and windowed again, as a file that looked like that
    would be."""

    @property
    def redraws(self) -> bool:
        """Whether more than the affine map changes."""
        shares = (self.lesions, self.strip_skull, self.draw_skull, self.acquisition)
        return any((*shares, self.vertical_flip, self.quarter_turns, self.prepare_again))


class Network(_Part):
    """Backbone and head."""

    backbone: str = "mobilenet_v2"
    head: Literal["flatten", "pooled"] = "flatten"
    """"flatten" is the paper's: every place has its own weights, through a hidden layer of `units`.
    "pooled" averages over places first and has one weight per channel."""
    units: Annotated[int, Field(ge=1, le=4096)] = 128
    dropout: Fraction = 0.5


class Frozen(_Part):
    """Phase one: the backbone does not change."""

    epochs: Annotated[int, Field(ge=0, le=10_000)] = 20
    learning_rate: Rate = 1e-4


class FineTuning(_Part):
    """Phase two: the backbone's last layers, or all of it, train too."""

    epochs: Annotated[int, Field(ge=0, le=10_000)] = 10
    learning_rate: Rate = 1e-5
    from_layer: str = "input"
    """First layer of the backbone that trains; "input" trains all of it."""
    batch_norm: Literal["frozen", "training"] = "frozen"
    """"frozen": the backbone's batch normalisation keeps the means, variances, scales and offsets
    it came with. "training": it normalises by each batch, updates the means and variances, and
    trains the scales and offsets."""
    size: Annotated[int, Field(ge=0, le=1024)] = 0
    """Edge of the pictures that train, in pixels; 0 is ``input.size``. Smaller ones train faster,
    and a network meets larger details when it is used (Touvron et al. 2019, arXiv:1906.06423).
    Needs the pooled head, all of the backbone training, and multiples of 32."""


class Finishing(_Part):
    """Phase three: what phase two trained goes on with pictures of the full input size."""

    epochs: Annotated[int, Field(ge=0, le=10_000)] = 0
    learning_rate: Rate = 1e-5


class Optimisation(_Part):
    """Adam on the cross-entropy."""

    optimizer: Literal["adam", "adamw"] = "adam"
    """"adamw" adds decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101)."""
    weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Of "adamw"; kernels only."""
    schedule: Literal["plateau", "cosine"] = "plateau"
    """"plateau" reduces the learning rate when the tuning loss stops falling; "cosine" warms up,
    then lets it fall to 1 % along half a cosine, step by step."""
    warmup: Fraction = 0.1
    """Share of a phase's steps in which "cosine" raises the learning rate from 0."""
    label_smoothing: Fraction = 0.0
    """Labels are drawn this share of the way to one half."""
    ema: Fraction = 0.0
    """The weights kept are an exponential moving average over steps with this momentum; 0 keeps
    the last ones."""

    batch_size: Annotated[int, Field(ge=1, le=4096)] = 32
    clip_norm: Annotated[float, Field(gt=0.0)] = 1.0
    """Each variable's gradient is scaled down to this L2 norm."""
    class_weights: Literal["balanced", "none"] = "balanced"
    """"balanced" weighs classes by the inverse of their share of the training images. Where
    sampling.by is "source", which shows classes as often as it is told, the default is "none"."""
    plateau_patience: Annotated[int, Field(ge=1)] = 3
    """Epochs without a lower tuning loss before the learning rate is reduced."""
    plateau_factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    minimum_learning_rate: Annotated[float, Field(ge=0.0)] = 1e-7


CORRECTS_TWICE = (
    "The recipe evens out its classes twice: sampling.by is “source”, which draws them as often "
    "as sampling.tumour_share says, and optimisation.class_weights is “balanced”, which weighs "
    "them by the inverse of their share among the files. The rarer class counts too much."
)


class Recipe(_Part):
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
        if self.frozen.epochs + self.fine_tuning.epochs + self.finishing.epochs == 0:
            raise ValueError(
                "frozen.epochs, fine_tuning.epochs and finishing.epochs are all 0; nothing would "
                "train"
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
            self.network.head != "pooled"
            or tuned.from_layer != "input"
            or tuned.size % 32
            or self.input.size % 32
        ):
            raise ValueError(
                f"fine_tuning.size is {tuned.size}; it needs the pooled head, from_layer = "
                '"input", and multiples of 32 for it and input.size'
            )
        return self

    @classmethod
    def load(cls, name_or_path: str | Path) -> Recipe:
        """Read a recipe that ships with the package, by name, or a TOML file.

        Raises
        ------
        InputError
            If there is no such recipe, it is no TOML, or a key or value is not allowed.
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
        """Return what `load` reads; a recipe is returned, once its values were checked anew.

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
        """Return the recipe for another task; made-up lesions are left out where they have no type.

        Validated anew, so every value is as if it had been read from a file.
        """
        lesions = {"augmentation.lesions": 0.0} if task == "tumour-type" else {}
        return self.changed({"task": task, **lesions})

    def changed(self, values: Mapping[str, object], *, origin: str = "recipe") -> Recipe:
        """Return the recipe with other values, by dotted keys; all are checked as those of a file.

        Pydantic's own ``model_copy(update=…)`` checks nothing.

        Raises
        ------
        InputError
            If a recipe has no such key, or does not allow the value.
        """
        document: dict[str, object] = self.model_dump()
        for key, value in values.items():
            *parts, last = key.split(".")
            place: object = document
            for part in parts:
                place = place.get(part) if isinstance(place, dict) else None
            if not isinstance(place, dict) or last not in place:
                raise InputError(
                    f"The {origin} names {key}, which is no key of a recipe. Expected keys such as "
                    "fine_tuning.learning_rate; docs/reference/recipe.md lists them."
                )
            place[last] = value
        return Recipe.parse(document, origin=origin)

    @property
    def corrects_twice(self) -> bool:
        """Whether rare classes are both shown more often and weighed more."""
        return self.sampling.by == "source" and self.optimisation.class_weights == "balanced"

    def to_toml(self) -> str:
        """Return the recipe as TOML, every value written out, so that it can be read back."""
        document = self.model_dump()
        lines = [f"{key} = {_toml(value)}" for key, value in document.items() if not _table(value)]
        for key, value in document.items():
            if isinstance(value, dict):
                lines += ["", f"[{key}]", *(f"{name} = {_toml(v)}" for name, v in value.items())]
        return "\n".join(lines) + "\n"


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
            problems.append(f"{key} is no key of a recipe")
        elif item["type"] == "missing":
            problems.append(f"{key} is missing")
        else:
            received = "" if isinstance(item["input"], dict) else f" (received {item['input']!r})"
            problems.append(f"{key}: {message}{received}")
    return (
        f"The recipe {origin} cannot be used: {'; '.join(problems)}. Correct it; "
        "`tumorscope describe --recipe paper --toml` prints every key with a value that works."
    )


def _table(value: object) -> bool:
    return isinstance(value, dict)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return repr(value)
