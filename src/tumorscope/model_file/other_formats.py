"""Model files in the formats of other engines: OpenVINO's .xml with its .bin, LiteRT's .tflite.

Both carry the metadata of the .onnx that they were made from, and a hash of everything else in
them. In an .xml they are two elements of its ``rt_info``; behind a .tflite they are a ZIP archive,
which is how TensorFlow Lite itself attaches files to a model
(https://ai.google.dev/edge/litert/conversion/tensorflow/metadata).
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from tumorscope.common.errors import InputError
from tumorscope.model_file.onnx_file import (
    HASH_KEY,
    KEY,
    ModelFile,
    metadata_text,
    parse_metadata,
    read_bytes,
    read_model,
    refusal,
)
from tumorscope.model_file.protobuf import MAX_METADATA_BYTES
from tumorscope.model_file.schema import Metadata

SUFFIXES = frozenset({".onnx", ".xml", ".tflite"})
"""Endings (lower case) of the files that `read_any` reads."""

_MEMBERS = {KEY: f"{KEY}.json", HASH_KEY: f"{HASH_KEY}.txt"}
_ENTRY = re.compile(rb"<(" + f"{KEY}|{HASH_KEY}".encode() + rb') value="([^"<]*)" />\n')
_QUOTE = {'"': "&quot;"}
_BAD_ARCHIVE = (
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    ValueError,
    RuntimeError,  # encrypted, and NotImplementedError
    EOFError,
)


def read_any(path: str | Path) -> ModelFile:
    """Read and check a model file of any format that tumorscope writes.

    Parameters
    ----------
    path : path
        An ``.onnx``, ``.xml`` (with its ``.bin`` beside it) or ``.tflite``; any other ending is
        read as ONNX.

    Raises
    ------
    InputError
        If it cannot be read, was changed, or was not made by tumorscope.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in (".xml", ".bin"):
        return _read_openvino(path.with_suffix(".xml") if suffix == ".bin" else path)
    return _read_litert(path) if suffix == ".tflite" else read_model(path)


def seal_openvino(xml: bytes, weights: bytes, metadata: Metadata) -> tuple[bytes, Metadata]:
    """Put metadata into an OpenVINO topology.

    Parameters
    ----------
    xml, weights : bytes
        The .xml and the .bin as OpenVINO saved them, without metadata of ours.
    metadata : Metadata
        What to say of them; `graph_sha256` is filled in.

    Returns
    -------
    bytes
        The .xml to write in place of the first.
    Metadata
        As stored.

    Raises
    ------
    ValueError
        If `xml` is not a bare topology.
    """
    end = xml.rfind(b"</net>")
    if end < 0 or _ENTRY.search(xml):
        raise ValueError("Received a topology that is cut off or sealed. Expected a bare one.")
    if xml.rfind(b"</rt_info>") < xml.rfind(b"</edges>"):  # those above belong to layers
        xml = xml[:end] + b"<rt_info>\n</rt_info>\n" + xml[end:]
    at = xml.rfind(b"</rt_info>")
    metadata = metadata.model_copy(update={"graph_sha256": _hash(xml, weights)})
    stored = zip((KEY, HASH_KEY), metadata_text(metadata), strict=True)
    from xml.sax.saxutils import escape  # here, because it loads an HTTP client

    entries = "".join(f'<{key} value="{escape(text, _QUOTE)}" />\n' for key, text in stored)
    return xml[:at] + entries.encode() + xml[at:], metadata


def seal_litert(model: bytes, metadata: Metadata) -> tuple[bytes, Metadata]:
    """Put metadata behind a TensorFlow Lite model.

    Parameters
    ----------
    model : bytes
        The flatbuffer.
    metadata : Metadata
        What to say of it; `graph_sha256` is filled in.

    Returns
    -------
    bytes
        The .tflite to write; interpreters ignore what lies behind the flatbuffer.
    Metadata
        As stored.
    """
    metadata = metadata.model_copy(update={"graph_sha256": _hash(model)})
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        for key, text in zip((KEY, HASH_KEY), metadata_text(metadata), strict=True):
            # A fixed date, so that the same model makes the same bytes.
            members.writestr(
                zipfile.ZipInfo(_MEMBERS[key]), text, compress_type=zipfile.ZIP_DEFLATED
            )
    return model + archive.getvalue(), metadata


def _read_openvino(path: Path) -> ModelFile:
    xml = read_bytes(path)
    if b"<net " not in xml[:4096] or b"</net>" not in xml[-64:]:
        raise refusal(path, "it is not a whole OpenVINO topology", "Copy it again.")
    entries = _ENTRY.findall(xml)
    from xml.sax.saxutils import unescape

    stored = {key.decode(): unescape(_text(path, text), {"&quot;": '"'}) for key, text in entries}
    if len(entries) != 2 or len(stored) != 2:
        raise _without_metadata(path, "OpenVINO topology", "openvino")
    weights = read_bytes(path.with_suffix(".bin"))
    metadata = _checked(path, stored, _hash(_ENTRY.sub(b"", xml), weights))
    return ModelFile(path, metadata, xml, weights)


def _read_litert(path: Path) -> ModelFile:
    data = read_bytes(path)
    if data[4:8] != b"TFL3":
        raise refusal(path, "it does not begin as a TensorFlow Lite model does", "Copy it again.")
    stored = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as members:
            begin = min(each.header_offset for each in members.infolist())
            for key, name in _MEMBERS.items():
                if members.getinfo(name).file_size > MAX_METADATA_BYTES:
                    raise zipfile.BadZipFile(f"{name} is too large")
                stored[key] = _text(path, members.read(name))
    except _BAD_ARCHIVE:
        raise _without_metadata(path, "TensorFlow Lite model", "litert") from None
    return ModelFile(path, _checked(path, stored, _hash(data[:begin])), data)


def _checked(path: Path, stored: Mapping[str, str], found: str) -> Metadata:
    metadata = parse_metadata(path, stored[KEY], stored[HASH_KEY])
    if found != metadata.graph_sha256:
        raise refusal(
            path,
            "it does not have the SHA-256 that its metadata states: it, or the .bin beside it, was "
            "changed after it was made, or is damaged",
            "Get it again from whom you trust.",
        )
    return metadata


def _hash(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        # The length separates the first from the second: nothing can move from one to the other.
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise refusal(path, "its metadata is not UTF-8", "Copy it again.") from error


def _without_metadata(path: Path, what: str, to: str) -> InputError:
    return refusal(
        path,
        f"it is a {what} without tumorscope's metadata, or cut off at its end, so what its numbers "
        "mean is unknown",
        f"Make one with `tumorscope export MODEL.onnx --to {to}`, or copy it again.",
    )
