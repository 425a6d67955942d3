"""Model files on disk: read, checked and written. Nothing in them is executed but the graph."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from tumorscope.common.errors import InputError
from tumorscope.common.files import atomic_path
from tumorscope.model_file.allowed import NotAllowedError, check_allowed
from tumorscope.model_file.onnx_fields import STANDARD_DOMAINS
from tumorscope.model_file.protobuf import Parts, WireError, fields, parts_of
from tumorscope.model_file.schema import SCHEMA_VERSION, Metadata

KEY = "tumorscope"
"""Metadata property of the ONNX file that holds the metadata as JSON."""

HASH_KEY = "tumorscope_sha256"
"""Metadata property that holds the SHA-256 of that JSON."""

KERAS_SUFFIXES = frozenset({".keras", ".h5", ".hdf5"})
MAX_BYTES = 1 << 30
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
"""Half a letter, which JSON can write and no file can hold."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file that was checked.

    Attributes
    ----------
    path : Path
        Where it was read from.
    metadata : Metadata
        What it says about itself.
    graph : bytes
        The whole file, for an engine.
    weights : bytes
        The whole .bin beside an .xml of OpenVINO; empty for other formats.
    """

    path: Path
    metadata: Metadata
    graph: bytes
    weights: bytes = b""


def read_model(path: str | Path) -> ModelFile:
    """Read and check a model file.

    Parameters
    ----------
    path : path
        An ``.onnx`` file that tumorscope wrote.

    Raises
    ------
    InputError
        If it cannot be read, is truncated, changed, of another schema version, not made by
        tumorscope, or holds what no model file does, such as custom operators or other files.
    """
    path = Path(path)
    data = read_bytes(path)
    if path.suffix.lower() in KERAS_SUFFIXES:
        beside = path.with_name("model.onnx")
        raise refusal(
            path,
            "it is a file of Keras, which does not say how images are prepared or what its numbers "
            "mean",
            f"Give {beside}."
            if beside.is_file()
            else "Give the model.onnx that `tumorscope train` writes beside it.",
        )
    try:
        parts = parts_of(data)
    except WireError as error:
        raise refusal(
            path, f"it is not a whole ONNX file ({error})", "Copy it again from where it came from."
        ) from error
    if parts.graph is None:
        raise refusal(path, "it holds no ONNX graph", "Copy it again from where it came from.")
    _refuse_foreign(path, parts)
    if KEY not in parts.metadata:
        raise refusal(
            path,
            "it is an ONNX file without tumorscope's metadata (preprocessing, classes, "
            "calibration), so what its numbers mean is unknown",
            "Make one with `tumorscope train` or `tumorscope export`.",
        )
    _check_graph(path, data)
    text = parts.metadata[KEY]
    metadata = parse_metadata(path, text, parts.metadata.get(HASH_KEY, ""))
    if graph_hash(data) != metadata.graph_sha256:
        raise refusal(
            path,
            "its graph does not have the SHA-256 that its metadata states: it was changed after "
            "it was made, or is damaged",
            "Get it again from whom you trust.",
        )
    return ModelFile(path, metadata, data)


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a model file.

    Raises
    ------
    InputError
        If it cannot be opened, is empty or larger than 1 GiB.
    """
    if path.is_dir():
        raise refusal(
            path,
            "it is a folder without a model.onnx",
            f"`tumorscope export {path} --to onnx -o DIR` writes that of a run of the task "
            '"tumour"; runs of other tasks have none.'
            if (path / "run.json").is_file()
            else "Give a model file, or the folder of a run that `tumorscope train` finished.",
        )
    try:
        if not path.is_file():
            raise FileNotFoundError(2, "there is no such file")
        size = path.stat().st_size
        data = path.read_bytes() if 0 < size <= MAX_BYTES else b""
    except OSError as error:
        raise refusal(
            path,
            f"it cannot be opened ({error.strerror or error})",
            "Give the path of a model that `tumorscope train` or `export` wrote.",
        ) from error
    if not data:
        raise refusal(path, f"it has {size:,} bytes", "Copy it again from where it came from.")
    return data


def parse_metadata(path: Path, text: str, stated_sha256: str) -> Metadata:
    """Check metadata against its hash and its schema.

    Raises
    ------
    InputError
        If it was changed, is of another version or does not fit the schema.
    """
    if hashlib.sha256(text.encode()).hexdigest() != stated_sha256:
        raise refusal(
            path,
            "its metadata does not have the SHA-256 stated beside it: it was changed or is damaged",
            "Get it again from whom you trust.",
        )
    try:
        document = json.loads(text, parse_constant=_no_number)
        # Known images are a megabyte of text without a backslash.
        if "\\u" in text and _SURROGATE.search(text):
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise refusal(path, f"its metadata is not JSON ({error})", "Export it again.") from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise refusal(
            path,
            f"its metadata is of schema version {version!r}; this tumorscope reads "
            f"{SCHEMA_VERSION}",
            "Update tumorscope, or export the model again with this one.",
        )
    try:
        return Metadata.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'][:6]) or 'metadata'}: {item['msg']}"
            for item in error.errors(include_url=False)[:5]
        )
        raise refusal(
            path, f"its metadata does not fit the schema ({problems})", "Export it again."
        ) from error


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def metadata_text(metadata: Metadata) -> tuple[str, str]:
    """Return metadata as the JSON that is stored, and its SHA-256."""
    # Files without a rule for series stay what they were, and are read by earlier versions.
    text = metadata.model_dump_json(exclude=None if metadata.series else {"series"})
    return text, hashlib.sha256(text.encode()).hexdigest()


def write_model(path: str | Path, graph: bytes, metadata: Metadata) -> ModelFile:
    """Write a model file, whole or not at all.

    Parameters
    ----------
    path : path
        Where to.
    graph : bytes
        A serialised ONNX model; metadata of ours in it is replaced.
    metadata : Metadata
        What to say of it; `graph_sha256` is filled in.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    path = Path(path)
    bare = without_metadata(graph)
    metadata = metadata.model_copy(update={"graph_sha256": hashlib.sha256(bare).hexdigest()})
    text, digest = metadata_text(metadata)
    # Fields of a protobuf message may come in any order, so metadata can simply be appended.
    data = bare + _property(KEY, text) + _property(HASH_KEY, digest)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return ModelFile(path, metadata, data)


def graph_hash(model: bytes) -> str:
    """Return the SHA-256 of a serialised ONNX model without its metadata.

    Not of the graph alone: the operator set's version beside it decides what its nodes mean.

    Raises
    ------
    WireError
        If it is damaged.
    """
    return hashlib.sha256(without_metadata(model)).hexdigest()


def without_metadata(model: bytes) -> bytes:
    """Return a serialised ONNX model without any ``metadata_props``.

    Raises
    ------
    WireError
        If it is damaged.
    """
    kept, last = [], 0
    for number, _, _, end in fields(model, 0, len(model)):
        if number != 14:
            kept.append(model[last:end])
        last = end
    return b"".join(kept)


def _property(key: str, value: str) -> bytes:
    entry = b"".join(_field(number, part.encode()) for number, part in ((1, key), (2, value)))
    return _field(14, entry)


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _refuse_foreign(path: Path, parts: Parts) -> None:
    custom = parts.domains - STANDARD_DOMAINS
    if custom or parts.functions:
        named = ", ".join(sorted(custom)) or "functions of its own"
        raise refusal(
            path,
            f"it asks for operators beyond the standard ones ({named})",
            "Only graphs of standard ONNX operators are run.",
        )


def _check_graph(path: Path, data: bytes) -> None:
    try:
        check_allowed(data)
    except NotAllowedError as error:
        raise refusal(
            path, f"it {error}", "Only graphs as tumorscope writes them are run."
        ) from error
    except WireError as error:
        raise refusal(
            path, f"it is not a whole ONNX file ({error})", "Copy it again from where it came from."
        ) from error


def refusal(path: Path, received: str, advice: str) -> InputError:
    """Return the error for a file that cannot be used as a model."""
    return InputError(
        f"Cannot use {path} as a model: {received}. Expected a model file (.onnx, or .xml or "
        f".tflite exported from one) made by tumorscope. {advice}"
    )
