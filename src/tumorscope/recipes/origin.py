"""Where the starting weights of a network come from, as data."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict

from tumorscope.common.errors import InputError

_MRI = re.compile(r"mri \((?P<name>.+), sha256 (?P<digest>[0-9a-f]{64})\)")
_FILE = re.compile(r"(?P<name>.+) \(sha256 (?P<digest>[0-9a-f]{64})\)")


class Weights(BaseModel):
    """Starting weights of one network, distinguished by what they hold.

    Attributes
    ----------
    kind : {"none", "imagenet", "mri", "file"}
        "imagenet" is Keras' own file, under whatever name it was given; "none" is random.
    name : str
        Of the file or model, for people.
    digest : str
        SHA-256 of the file, or of the graph of the packaged model ("mri"); MD5 where Keras
        publishes no other; "" for "none".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["none", "imagenet", "mri", "file"]
    name: str = ""
    digest: str = ""

    @property
    def key(self) -> str:
        """What distinguishes these weights from others."""
        return f"{self.kind} {self.digest}".strip()

    @property
    def words(self) -> str:
        """The same for people."""
        if self.kind == "none":
            return "none (random)"
        named = self.kind if self.kind != "file" else self.name or "a file"
        return f"{named} ({self.digest[:12]}…)" if self.digest else named

    @property
    def sentence(self) -> str:
        """The same in full, as run.json has it; `parse_weights` reads it back."""
        if self.kind == "none":
            return "none (random)"
        if self.kind == "mri":
            return f"mri ({self.name}, sha256 {self.digest})"
        return f"{self.name} (sha256 {self.digest})" if self.kind == "file" else self.kind


def parse_weights(sentence: str) -> Weights:
    """Read the sentence on starting weights that runs of older versions hold, strictly.

    Parameters
    ----------
    sentence : str
        As `Weights.sentence` makes it; the word ``imagenet`` alone says nothing of the file.

    Raises
    ------
    InputError
        If it is none that tumorscope writes.

    Examples
    --------
    >>> weights = Weights(kind="file", name="vgg16.h5", digest=64 * "0")
    >>> parse_weights(weights.sentence) == weights
    True
    """
    if sentence in ("none", "none (random)"):
        return Weights(kind="none")
    if sentence == "imagenet":
        return Weights(kind="imagenet")
    if found := _MRI.fullmatch(sentence):
        return Weights(kind="mri", name=found["name"], digest=found["digest"])
    if found := _FILE.fullmatch(sentence):
        return Weights(kind="file", name=found["name"], digest=found["digest"])
    raise InputError(
        f"The starting weights are recorded as {sentence!r}. Expected none, imagenet, mri or the "
        "name of a file with its SHA-256, as tumorscope writes them. Train again."
    )
