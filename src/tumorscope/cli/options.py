"""The options that several commands share: each is defined, and explained, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter, Token

from tumorscope.common.memory import limit_image_memory

if TYPE_CHECKING:
    from tumorscope.detection.detector import Detector
    from tumorscope.recipes.recipe import Recipe


def _whole(_: object, tokens: Sequence[Token]) -> int:
    """Return a whole number; cyclopts alone would take 1.5 for 2."""
    text = tokens[0].value
    try:
        return int(text)
    except ValueError:
        raise ValueError(
            f"Received {text}; expected a whole number, in digits only, such as 3."
        ) from None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Common:
    """Options of every command."""

    json: Annotated[bool, Parameter(negative="")] = False
    """Print one JSON document on standard output instead of a table."""

    quiet: Annotated[bool, Parameter(negative="")] = False
    """No progress bars and no words on standard error."""

    debug: Annotated[bool, Parameter(negative="")] = False
    """Show the traceback of an error."""

    image_memory: Annotated[int | None, Parameter(converter=_whole)] = None
    """MiB that images and volumes which are read at a time may take together; 1024 by default."""

    def __post_init__(self) -> None:
        """Set what holds for the whole command."""
        if self.image_memory is not None:
            limit_image_memory(self.image_memory)


Whole = Annotated[int, Parameter(converter=_whole)]
"""A number without a fraction: every count and seed of the command line."""

OptionalWhole = Annotated[int | None, Parameter(converter=_whole)]

Flag = Annotated[bool, Parameter(negative="")]
"""On or off; there is no --no-FLAG."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Asked:
    """Who answers, and how: options of every command that looks at images."""

    model: Path | None = None
    """A model file (.onnx, .xml or .tflite), or packaged (the default), the one in the package."""

    operating_point: str = "balanced"
    """Whose threshold decides: balanced, screening, specific, or another that the model stores.
    Around the threshold is a range without an answer, which tumorscope describe MODEL prints."""

    engine: Literal["onnxruntime", "openvino", "litert", "cuda"] | None = None
    """What computes; by default the one that suits the model file. cuda is ONNX Runtime on an
    NVIDIA graphics card, and needs the package onnxruntime-gpu."""

    threads: OptionalWhole = None
    """Cores to use; all by default."""

    skip_seen_check: Flag = False
    """Do not look whether the model was trained on an image or a copy of it, which takes some time,
    with older model files up to half of it. For scans that cannot have been in the training data;
    the column seen stays empty."""

    def detector(self, *, threads: int | None = None, fast: bool = False) -> Detector:
        """Load the model; `threads` goes before those that were asked for."""
        from tumorscope.detection.detector import Detector

        return Detector.load(
            self.model,
            engine=self.engine,
            operating_point=self.operating_point,
            threads=threads or self.threads,
            fast=fast,
            check_seen=not self.skip_seen_check,
        )


Output = Annotated[Path, Parameter(alias="-o")]
OptionalOutput = Annotated[Path | None, Parameter(alias="-o")]

Paths = Annotated[tuple[Path, ...], Parameter(negative="", show_default=False)]
"""Any number of paths, one after the other or each after its option."""

Words = Annotated[tuple[str, ...], Parameter(negative="", show_default=False)]
"""Any number of words, each after its option."""

Data = Annotated[
    str, Parameter(help="Folder with class folders such as yes/ and no/, or a manifest.csv.")
]
RecipeName = Annotated[str, Parameter(help="recommended, paper, reference, demo, or a TOML file.")]
Weights = Annotated[
    str,
    Parameter(
        help="imagenet (Keras' download and cache), mri (the packaged model's backbone, offline), "
        "none (random), or the path of an HDF5 file."
    ),
]
SplitBy = Literal["group", "random"]
Task = Annotated[
    Literal["tumour", "tumour-type"] | None,
    Parameter(
        help="Instead of the recipe's: tumour, or tumour-type, which tells no tumour, glioma, "
        "meningioma and pituitary tumour apart."
    ),
]
Seed = Annotated[int | None, Parameter(converter=_whole, help="Instead of the recipe's.")]
Folds = Annotated[int, Parameter(converter=_whole, help="Parts; each is held out once per repeat.")]
Repeats = Annotated[int, Parameter(converter=_whole, help="Times the cohort is divided again.")]


def chosen_recipe(
    name: str, *, seed: int | None, task: Literal["tumour", "tumour-type"] | None
) -> Recipe:
    """Return the recipe of that name, with what the command line changes of it."""
    from tumorscope.common.limits import check_seed
    from tumorscope.recipes.recipe import Recipe

    recipe = Recipe.load(name)
    if seed is not None:
        recipe = recipe.changed({"seed": check_seed(seed)})
    return recipe if task is None else recipe.for_task(task)
