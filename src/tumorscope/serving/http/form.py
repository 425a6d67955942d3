"""A form of files as browsers and curl send it (multipart/form-data) → files, as it arrives.

Starlette's own reading of forms keeps files in memory first, and takes 1,000 of them at most.
"""

from __future__ import annotations

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from tumorscope.serving.http.problems import Problem
from tumorscope.serving.http.uploads import Receiver

FORM = "multipart/form-data"


class Form:
    """A form that is fed with the bytes of a request.

    Parameters
    ----------
    content_type : str
        The header, with the boundary between parts.
    receiver : Receiver
        What takes the files. Parts without a file name are passed over.

    Raises
    ------
    Problem
        400, if there is no boundary.
    """

    def __init__(self, content_type: str, receiver: Receiver) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        if not boundary:
            raise _malformed("its Content-Type names no boundary")
        self._receiver, self._header, self._value = receiver, b"", b""
        self._name: str | None = None
        self._finished = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise _malformed(str(error)) from error

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _malformed(str(error)) from error

    def end(self) -> None:
        """Make sure that the form is whole."""
        if not self._finished:
            raise _malformed("it ends before its last boundary")

    def _on_part_begin(self) -> None:
        self._header, self._value, self._name = b"", b"", None

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            options = parse_options_header(self._value)[1]
            if b"filename" in options:
                self._name = options[b"filename"].decode("utf-8", "replace")
        self._header, self._value = b"", b""

    def _on_headers_finished(self) -> None:
        if self._name is not None:
            self._receiver.begin(self._name)

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name is not None:
            self._receiver.data(data[start:end])

    def _on_part_end(self) -> None:
        if self._name is not None:
            self._receiver.end()
            self._name = None

    def _on_end(self) -> None:
        self._finished = True


def _malformed(why: str) -> Problem:
    return Problem(
        400,
        received=f"Received a form that cannot be read: {why}.",
        expected="Expected multipart/form-data as browsers and `curl -F files=@FILE` send it.",
        what_to_do="Let a library write the form, or send one file as the body itself.",
    )
