"""What ``run.json`` says of a training run: written once, read back and checked."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from tumorscope.common.errors import InputError
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.networks.network import LayerSummary
from tumorscope.recipes.origin import Weights, parse_weights
from tumorscope.recipes.parts import Task
from tumorscope.records.protocol import first_problem


class RunRecord(BaseModel):
    """Versions, seed, hashes and times of a run.

    What has a default is not in the files of all older versions.

    Attributes
    ----------
    recipe, task, seed
        Of the recipe beside it.
    split : {"grouped", "random"}
        How images were divided among training, tuning and testing.
    weights : str
        Where the starting weights came from, in words; `origin` is the same as data.
    weights_given : str
        As they were asked for.
    identity : str
        One hash over everything that decides the scores.
    protocol : dict
        The same in full; see `tumorscope.records.resume.protocol_of`.
    data_sha256 : str
        Of the usable images with their labels, groups and splits.
    images : dict of str to int
        Split → number of images; those in no split are "without split", "" in older versions.
    groups_joined : tuple of tuple of str
        Names of groups that hold copies of one picture, and were made one.
    types_missing : dict of str to list of str
        Split → tumour types that it lacks.
    unreadable : int
        Files that could not be read.
    passed_over : dict
        What of the folder was not looked at, by reason.
    versions : dict of str to str
        Of the libraries.
    backend, machine, started : str
    seconds_training, seconds_total : float
    layers : tuple of LayerSummary
        The network's summary.
    """

    # Unknown names are kept: a later version may have written more.
    model_config = ConfigDict(frozen=True, extra="allow")

    notice: str = RESEARCH_USE_ONLY
    recipe: str = ""
    task: Task = "tumour"
    seed: int
    split: Literal["grouped", "random"]
    weights: str
    weights_given: str = ""
    identity: str = ""
    protocol: dict[str, JsonValue] = {}
    data_sha256: str
    images: dict[str, int]
    groups_joined: tuple[tuple[str, ...], ...] = ()
    types_missing: dict[str, list[str]] = {}
    unreadable: int = 0
    passed_over: dict[str, object] = {}
    versions: dict[str, str]
    backend: str = ""
    machine: str = ""
    started: str = ""
    seconds_training: float = 0.0
    seconds_total: float = 0.0
    layers: tuple[LayerSummary, ...]

    @property
    def origin(self) -> Weights:
        """Where the starting weights came from.

        Raises
        ------
        InputError
            If an older version wrote the record, and its sentence cannot be read.
        """
        recorded = self.protocol.get("weights")
        if isinstance(recorded, list) and len(recorded) == 1:
            with suppress(ValidationError):
                return Weights.model_validate(recorded[0])
        return parse_weights(self.weights)

    def to_json(self) -> dict[str, object]:
        """Return plain values, as they stand in the file."""
        return self.model_dump(mode="json", exclude_unset=True)

    @classmethod
    def parse(cls, text: str, *, origin: str | Path) -> RunRecord:
        """Read the text of a run.json.

        Raises
        ------
        InputError
            If it is damaged.

        Examples
        --------
        >>> RunRecord.parse("{}", origin="runs/a/run.json")
        Traceback (most recent call last):
        tumorscope.common.errors.InputError: runs/a/run.json is damaged (seed: Field required). ...
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            always = [name for name, field in cls.model_fields.items() if field.is_required()]
            raise InputError(
                f"{origin} is damaged ({first_problem(error)}). Expected what `tumorscope train` "
                f"wrote, with {', '.join(sorted(always))}. Train again into another folder."
            ) from error
