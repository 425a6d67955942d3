"""The folder that `tumorscope slices` writes: what was cut is noted, so that it can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tumorscope.cohort.row import Row
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.files import output_folder
from tumorscope.scans.not_read import NotRead

JOURNAL = "slices.jsonl"
"""First line: how volumes are cut. Then one line for each volume that was cut whole."""

MANIFEST = "manifest.csv"


@dataclass(frozen=True, slots=True)
class Done:
    """A volume that was cut.

    Attributes
    ----------
    key : str
        Which series: its UID, or the path of a NIfTI file below the folder.
    content : str
        Changes with its files, and with its mask's.
    rows : tuple of Row
        Its slices; paths relative to the folder of slices.
    left_out : mapping of str to int
        Slices without a row, by reason; volumes as a whole under ``volume:REASON``.
    not_read : tuple of NotRead
        What of it could not be read.
    """

    key: str
    content: str
    rows: tuple[Row, ...]
    left_out: Mapping[str, int]
    not_read: tuple[NotRead, ...] = ()


class SlicingFolder:
    """Slices that were written, and what is known of them.

    Parameters
    ----------
    folder : Path
        New, empty, or with slices that were cut in the same way.
    settings : mapping
        What decides the slices, as JSON takes it.

    Raises
    ------
    UsageError
        If something else lies there, or slices that were cut otherwise.
    OutputError
        If it cannot be written.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        self.path = folder
        self._journal = folder / JOURNAL
        self._done: dict[str, Done] = {}
        self.changed = False
        if self._journal.is_file():
            self._read(settings)
        elif folder.is_dir() and any(folder.iterdir()):
            raise UsageError(
                f"{folder} holds something else than slices that tumorscope cut; expected a new or "
                "empty folder. Nothing was changed. Choose another with -o."
            )
        output_folder(folder)
        if not self._journal.is_file():
            self._append({"settings": dict(settings)})

    def done(self, key: str, content: str) -> Done | None:
        """Return what was made of a volume, if it has not changed since and nothing is gone."""
        known = self._done.get(key)
        if known is None or known.content != content:
            return None
        files = [name for row in known.rows for name in (row.path, row.mask) if name]
        return known if all((self.path / name).is_file() for name in files) else None

    def add(self, done: Done) -> None:
        """Note a volume whose slices lie there."""
        before = self._done.get(done.key)
        for row in () if before is None else before.rows:
            if row.path not in {each.path for each in done.rows}:
                for name in filter(None, (row.path, row.mask)):
                    (self.path / name).unlink(missing_ok=True)
        self._done[done.key] = done
        self.changed = True
        self._append(asdict(done))

    def forget(self) -> None:
        """Remove the notes of a folder without slices, so that anything may begin there."""
        self._journal.unlink()

    def all(self) -> list[Done]:
        """Return all volumes, by key."""
        return [self._done[key] for key in sorted(self._done)]

    def _append(self, document: Mapping[str, object]) -> None:
        with self._journal.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(document, ensure_ascii=True) + "\n")

    def _read(self, settings: Mapping[str, object]) -> None:
        lines = self._journal.read_text("utf-8").splitlines()
        documents = []
        for number, line in enumerate(lines):
            try:
                documents.append(json.loads(line))
            except ValueError:
                if number + 1 < len(lines):
                    raise InputError(
                        f"{self._journal}, line {number + 1}, cannot be read; expected what "
                        "tumorscope wrote there. Choose a new folder with -o."
                    ) from None
        if len(documents) < len(lines):  # the last line was cut by the end of the process
            whole = "".join(line + "\n" for line in lines[: len(documents)])
            self._journal.write_text(whole, encoding="utf-8", newline="\n")
        before = documents[0].get("settings") if documents else None
        if len(documents) < 2:  # nothing was cut, so anything may begin here
            self._journal.unlink()
            return
        if before is not None and before != json.loads(json.dumps(settings)):
            raise UsageError(
                f"{self.path} holds slices that were cut with other options "
                f"({_differences(before, settings)}); expected the same to go on there. Nothing "
                "was changed. Give the same, or choose another folder with -o."
            )
        for document in documents[1:]:
            rows = tuple(
                Row(**{**row, "flags": tuple(row["flags"])}) for row in document.pop("rows")
            )
            not_read = tuple(NotRead(**each) for each in document.pop("not_read"))
            done = Done(rows=rows, not_read=not_read, **document)
            self._done[done.key] = done


def _differences(before: Mapping[str, object], now: Mapping[str, object]) -> str:
    names = [name for name in now if before.get(name) != json.loads(json.dumps(now[name]))]
    return ", ".join(names) or "of another version"
