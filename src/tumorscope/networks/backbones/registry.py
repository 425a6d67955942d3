"""The registry of backbones: each a plain function that returns a Keras model without its top."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tumorscope.common.errors import InputError

if TYPE_CHECKING:
    import keras

Builder = Callable[[int], "keras.Model"]

Scaling = Literal["unit", "symmetric", "imagenet", "caffe"]
"""Names of `tumorscope.networks.scaling.SCALINGS`."""


@dataclass(frozen=True, slots=True)
class Backbone:
    """One backbone.

    Attributes
    ----------
    name : str
        As ``network.backbone`` of a recipe.
    build : callable
        Edge length of the square input in pixels → Keras model with random weights, from float32
        (n, size, size, 3) to a map (n, h, w, channels).
    title : str
        For tables.
    citation : str
        Where it was published.
    size : int
        Edge in pixels for which it was published.
    smallest : int
        Edge in pixels below which it cannot be built.
    scaling : str
        ``input.scaling`` that its ImageNet weights expect.
    cut : str
        First layer to train when only the last part is fine-tuned.
    parts : tuple of str
        Layers at the ends of its stages, for systems that use features of several depths.
    """

    name: str
    build: Builder
    title: str
    citation: str
    size: int
    smallest: int
    scaling: Scaling
    cut: str
    parts: tuple[str, ...]

    def size_for(self, size: int) -> int:
        """Return the edge that this backbone gets where others get `size`.

        Their ratio is that of the published sizes.

        Examples
        --------
        >>> from tumorscope.networks.backbones import lookup
        >>> lookup("inception_v3").size_for(224), lookup("resnet50").size_for(224)
        (299, 224)
        """
        return max(self.smallest, round(size * self.size / 224))


_BACKBONES: dict[str, Backbone] = {}


def register(
    *,
    title: str,
    citation: str,
    cut: str,
    size: int = 224,
    smallest: int = 32,
    scaling: Scaling = "imagenet",
    parts: tuple[str, ...] = (),
) -> Callable[[Builder], Builder]:
    """Make a function available as ``network.backbone`` under its own name; see `Backbone`."""

    def add(builder: Builder) -> Builder:
        name = builder.__name__
        _BACKBONES[name] = Backbone(
            name=name,
            build=builder,
            title=title,
            citation=citation,
            size=size,
            smallest=smallest,
            scaling=scaling,
            cut=cut,
            parts=parts,
        )
        return builder

    return add


def names() -> tuple[str, ...]:
    """Return the names of all backbones, sorted."""
    return tuple(sorted(_BACKBONES))


def lookup(name: str) -> Backbone:
    """Return what is known of a backbone.

    Raises
    ------
    InputError
        If there is no such backbone.
    """
    if name not in _BACKBONES:
        raise InputError(
            f"There is no backbone {name!r}. Expected one of {', '.join(names())} as "
            "network.backbone of the recipe."
        )
    return _BACKBONES[name]


def build_backbone(name: str, size: int) -> keras.Model:
    """Build a backbone with random weights.

    Parameters
    ----------
    name : str
        One of `names()`.
    size : int
        Edge length of the square input in pixels; the input has three channels.

    Raises
    ------
    InputError
        If there is no such backbone, or `size` is too small for it.
    """
    backbone = lookup(name)
    if size < backbone.smallest:
        raise InputError(
            f"{backbone.title} was asked to take images of {size} px. Expected at least "
            f"{backbone.smallest} px; raise input.size in the recipe."
        )
    return backbone.build(size)
