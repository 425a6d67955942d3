"""The state of a training run after an epoch, on disk as plain arrays."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.common.files import atomic_path

Record = dict[str, float | int | str]
"""One line of ``history.csv``."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that training needs to go on.

    Attributes
    ----------
    identity : str
        Hash of what decides the run; a checkpoint of another run is refused.
    history : sequence of Record
        One per finished epoch.
    weights : sequence of ndarray
        Of the whole network, in Keras' order.
    optimizer : sequence of ndarray
        The optimizer's variables in the phase of the last epoch.
    """

    identity: str
    history: Sequence[Record] = ()
    weights: Sequence[NDArray[np.generic]] = ()
    optimizer: Sequence[NDArray[np.generic]] = field(default=())


def save_checkpoint(path: Path, state: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all."""
    head = json.dumps({"identity": state.identity, "history": list(state.history)})
    arrays: dict[str, NDArray[np.generic]] = {"head": np.frombuffer(head.encode(), dtype=np.uint8)}
    arrays |= {f"weights_{index}": value for index, value in enumerate(state.weights)}
    arrays |= {f"optimizer_{index}": value for index, value in enumerate(state.optimizer)}
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def load_checkpoint(path: Path, *, identity: str) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    InputError
        If it cannot be read, or belongs to another run.
    """
    try:
        # Opened here, because np.load leaves the file open when it turns out to be damaged.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            head = json.loads(bytes(stored["head"]))
            state = Checkpoint(
                identity=head["identity"],
                history=head["history"],
                weights=_numbered(stored, "weights"),
                optimizer=_numbered(stored, "optimizer"),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"The checkpoint {path} cannot be read ({error}). Expected the file that an "
            "interrupted run leaves. Delete it to train from the start."
        ) from error
    if state.identity != identity:
        raise InputError(
            f"The checkpoint {path} belongs to another recipe, cohort or set of starting weights. "
            "Expected the same as when the run began. Give them again, or choose another folder "
            "with -o."
        )
    return state


def _numbered(stored: np.lib.npyio.NpzFile, kind: str) -> list[NDArray[np.generic]]:
    count = sum(name.startswith(f"{kind}_") for name in stored.files)
    return [stored[f"{kind}_{index}"] for index in range(count)]
