"""Model files in the formats of other engines, dispatched by their suffix."""

from __future__ import annotations

from pathlib import Path

from tumorscope.model_file.container import ModelFile, read_model


def read_any(path: str | Path) -> ModelFile:
    """Read and check a model file of any format that tumorscope writes.

    Raises
    ------
    InputError
        If it cannot be read, was changed, or was not made by tumorscope.
    """
    return read_model(path)
