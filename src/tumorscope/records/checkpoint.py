"""The state of a training run after an epoch, on disk as plain arrays."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
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
        What decides the run; a checkpoint of another run is refused.
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
    """Write a checkpoint, whole or not at all.

    One array after the other in numpy's own format, the first holding the rest as JSON: a zip
    archive (``np.savez``) takes twice as long, for checksums that renaming makes unnecessary.
    """
    head = {
        "identity": state.identity,
        "history": list(state.history),
        "weights": len(state.weights),
        "optimizer": len(state.optimizer),
    }
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        first = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
        for values in (first, *state.weights, *state.optimizer):
            np.save(stream, values, allow_pickle=False)


def load_checkpoint(path: Path, *, identity: str) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    InputError
        If it cannot be read, or belongs to another run.
    """
    with _reading(path), path.open("rb") as stream:
        head = json.loads(bytes(np.load(stream, allow_pickle=False)))
        state = Checkpoint(
            identity=head["identity"],
            history=head["history"],
            weights=[np.load(stream, allow_pickle=False) for _ in range(head["weights"])],
            optimizer=[np.load(stream, allow_pickle=False) for _ in range(head["optimizer"])],
        )
    if state.identity != identity:
        raise InputError(
            f"The checkpoint {path} belongs to another recipe, cohort or set of starting weights. "
            "Expected the same as when the run began. Give them again, or choose another folder "
            "with -o."
        )
    return state


def identity_in(path: Path) -> str:
    """Return what a checkpoint says of the run that it belongs to.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    with _reading(path), path.open("rb") as stream:
        return str(json.loads(bytes(np.load(stream, allow_pickle=False)))["identity"])


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise InputError(
            f"The checkpoint {path} cannot be read ({error}). Expected the file that an "
            "interrupted run leaves. Delete it to train from the start."
        ) from error
