"""Everything that decides a score, as one record: written beside results, and compared later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.masks import mask_hashes
from tumorscope.common.differences import differences
from tumorscope.common.errors import InputError
from tumorscope.common.files import write_text
from tumorscope.common.progress import say
from tumorscope.recipes.origin import Weights
from tumorscope.recipes.recipe import Recipe

SplitMode = Literal["group", "random"]

THEN_NOW = ("then", "now")

INCIDENTAL = ("recipe.name", "recipe.description")
"""Decide nothing."""


class Cohort(BaseModel):
    """What the images of a cohort hold, and how they are labelled, grouped and split.

    Attributes
    ----------
    images, tumour : int
        Numbers of usable images.
    sha256 : str
        Of everything; see `data_hash`.
    content, groups, splits : str
        SHA-256 of what images show and how they are labelled; of which lie together, whatever
        groups are called; of the parts they are in. "" in records of older versions, which have
        `sha256` alone.
    masks : str
        SHA-256 of which lesions have which masks; "" where nothing is learnt from masks, or there
        are none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    images: int = 0
    tumour: int = 0
    content: str = ""
    groups: str = ""
    splits: str = ""
    masks: str = ""

    @classmethod
    def of(cls, manifest: Manifest, *, masks: bool = False) -> Cohort:
        """Describe the rows of a manifest, all of which are usable.

        Parameters
        ----------
        manifest : Manifest
            The rows.
        masks : bool
            Whether masks of lesions decide anything.

        Raises
        ------
        InputError
            If masks do, and one is not there.
        """
        outlined = [f"{image} {mask}" for image, mask in mask_hashes(manifest)] if masks else []
        rows = manifest.rows
        first: dict[str, str] = {}
        for row in sorted(rows, key=lambda row: row.sha256):
            first.setdefault(row.group, row.sha256)
        return cls(
            images=len(rows),
            tumour=sum(row.label for row in rows),
            sha256=data_hash(manifest),
            content=_hash(f"{row.sha256} {row.label} {row.tumour_type}" for row in rows),
            groups=_hash(f"{row.sha256} {first[row.group]}" for row in rows),
            splits=_hash(f"{row.sha256} {row.split}" for row in rows),
            masks=_hash(outlined) if outlined else "",
        )

    def changes(
        self, now: Cohort, *, passing: Collection[str] = (), names: tuple[str, str] = THEN_NOW
    ) -> list[str]:
        """Return in words what is not the same in another cohort."""
        if not (self.content and now.content):
            same = self.sha256 == now.sha256
            return [] if same else ["images, labels, groups or splits: not the same"]
        if self.content != now.content:
            numbers = [f"{each.images} ({each.tumour} with tumour)" for each in (self, now)]
            if numbers[0] == numbers[1]:
                return [f"images or labels: {numbers[0]} each, but not the same"]
            return [f"images: {numbers[0]} {names[0]}, {numbers[1]} {names[1]}"]
        parts = {
            "groups": "which images belong together",
            "splits": "how images are split",
            "masks": "where the lesions are",
        }
        return [
            f"{name}: {words} is not the same"
            for name, words in parts.items()
            if f"data.{name}" not in passing and getattr(self, name) != getattr(now, name)
        ]


class Protocol(BaseModel):
    """Everything that decides the scores of a run, a cross-validation or a search.

    Attributes
    ----------
    recipe : Recipe
        Seed and task included.
    weights : tuple of Weights
        One for each backbone.
    data : Cohort
        The usable images.
    split : {"group", "random"}
        Whether copies of one picture stay on one side.
    method : str
        What is fitted where it is not the network of the recipe.
    folds, repeats : int
        Of a cross-validation; 0 of a run.
    hold_out : tuple of tuple of str
        Sources left out, fold by fold.
    search : dict
        Folds, space and objective of a search.
    versions : dict of str to str
        For people: results of other versions are mentioned, not refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Recipe
    weights: tuple[Weights, ...]
    data: Cohort
    split: SplitMode = "group"
    method: str = ""
    folds: int = 0
    repeats: int = 0
    hold_out: tuple[tuple[str, ...], ...] = ()
    search: dict[str, JsonValue] = {}
    versions: dict[str, str] = {}

    def changes(
        self, now: Protocol, *, passing: Collection[str] = (), names: tuple[str, str] = THEN_NOW
    ) -> list[str]:
        """Return in words what decides the scores and is not the same now.

        Parameters
        ----------
        now : Protocol
            What is asked for, or what another result was made by.
        passing : collection of str
            Names, with dots, of what may differ: ``folds``, ``recipe.data.fractions``.
        names : tuple of str
            What the two are called.
        """
        found = differences(self._plain(), now._plain(), passing=passing, names=names)
        if "weights" not in passing:
            found += _changed_weights(self.weights, now.weights, names)
        if "data" not in passing:
            found += self.data.changes(now.data, passing=passing, names=names)
        return found

    @property
    def key(self) -> str:
        """One hash over all that `changes` compares."""
        lines = [f"{name} {value!r}" for name, value in sorted(self._plain().items())]
        lines += [each.key for each in self.weights]
        lines += [self.data.content, self.data.groups, self.data.splits]
        lines += [self.data.masks] if self.data.masks else []
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _plain(self) -> dict[str, object]:
        plain: dict[str, object] = self.model_dump(
            mode="json", exclude={"weights", "data", "versions"}
        )
        recipe = plain["recipe"]
        assert isinstance(recipe, dict)
        for name in INCIDENTAL:
            del recipe[name.removeprefix("recipe.")]
        return plain


def changed_recipe(then: Recipe, now: Recipe) -> list[str]:
    """Return in words what of a recipe decides scores and is not the same now."""
    plain = ({"recipe": each.model_dump(mode="json")} for each in (then, now))
    return differences(*plain, passing=INCIDENTAL)


def _changed_weights(
    then: Sequence[Weights], now: Sequence[Weights], names: tuple[str, str]
) -> list[str]:
    if [each.key for each in then] == [each.key for each in now]:
        return []
    words = ["; ".join(each.words for each in some) or "not recorded" for some in (then, now)]
    return [f"starting weights: {words[0]} {names[0]}, {words[1]} {names[1]}"]


def write_protocol(path: Path, protocol: Protocol) -> None:
    """Write a record as JSON, whole or not at all."""
    write_text(path, protocol.model_dump_json(indent=2) + "\n")


def parse_protocol(text: str, *, origin: str | Path) -> Protocol:
    """Read a record.

    Raises
    ------
    InputError
        If it is damaged, or another version wrote it.
    """
    try:
        values = json.loads(text)
        return Protocol.model_validate({**values, "recipe": Recipe.parse(values["recipe"])})
    except (ValueError, TypeError, KeyError, AttributeError, InputError) as error:
        why = first_problem(error) if isinstance(error, ValidationError) else str(error)
        raise InputError(
            f"{origin} does not say what these results were made by ({why}). "
            "Expected the record that this version of tumorscope writes. Make them again into "
            "another folder, or use the version that made them."
        ) from error


def first_problem(error: ValidationError) -> str:
    """Return in words the first thing that is wrong with a record, and where in it."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]


def data_hash(manifest: Manifest) -> str:
    """Return one SHA-256 over what the images hold and how they are labelled and grouped."""
    return _hash(
        f"{row.sha256} {row.label} {row.group} {row.split}"
        + (f" {row.tumour_type}" if row.tumour_type else "")
        for row in manifest.rows
    )


def _hash(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def difference_text(changes: Sequence[str]) -> str:
    """Return differences as one sentence."""
    return f"Different: {'; '.join(changes)}."


def mention_versions(then: Protocol, now: Protocol) -> None:
    """Mention versions that differ; results may move a little, which is no reason to refuse."""
    found = differences(then.versions, now.versions) if then.versions else []
    if found:
        say(f"What is kept was made by other versions: {'; '.join(found)}.")
