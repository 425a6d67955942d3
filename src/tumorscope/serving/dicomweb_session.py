"""How an archive is talked to: TLS verified, secrets from a file or the environment, no detours."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.hosts import is_loopback

if TYPE_CHECKING:
    from requests import PreparedRequest, Session

TOKEN = "TUMORSCOPE_DICOMWEB_TOKEN"
"""Environment variable whose value is sent as a bearer token."""


def check_address(url: str, *, secret: bool) -> str:
    """Return the address of a service without a slash at its end.

    Parameters
    ----------
    url : str
        As a person gave it.
    secret : bool
        Whether a token or other header goes with each request.

    Raises
    ------
    UsageError
        If it is none, holds a password, or would let a secret travel in clear.

    Examples
    --------
    >>> check_address("https://pacs.example/dicom-web/", secret=True)
    'https://pacs.example/dicom-web'
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise UsageError(
            f"Received {_without_password(url)!r} for the address of a DICOMweb service; expected "
            "one such as https://pacs.example/dicom-web, as the archive's manual names it."
        )
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "Received an address with a name or password in it, which every user of this machine "
            f"sees in the list of processes. Expected one without. Put a token into {TOKEN}, or "
            "headers into a file for --dicomweb-headers."
        )
    if secret and parts.scheme == "http" and not is_loopback(parts.hostname):
        raise UsageError(
            f"Received a token or header for {url}, which is not encrypted, so that others on the "
            "network could read it. Expected an address with https. Ask who runs the archive."
        )
    return url.rstrip("/")


def headers_from(file: Path | None) -> dict[str, str]:
    """Return the headers that a file and the environment name.

    Parameters
    ----------
    file : Path, optional
        Lines such as ``Authorization: Bearer …``; empty ones and those with # do not count.

    Raises
    ------
    InputError
        If it cannot be read, or a line is no header.
    """
    headers = {}
    if token := os.environ.get(TOKEN, "").strip():
        headers["Authorization"] = f"Bearer {token}"
    if file is None:
        return headers
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The file of headers {file} cannot be read ({type(error).__name__}). Expected text "
            "with lines such as “Authorization: Bearer …”. Check path and permissions."
        ) from error
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, value = line.partition(":")
        if not (colon and name.strip() and value.strip()):
            # Without the line, which may be a secret.
            raise InputError(
                f"Line {number} of {file} is no header. Expected NAME: VALUE, such as "
                "“Authorization: Bearer …”. Correct that line."
            )
        headers[name.strip()] = value.strip()
    return headers


@contextlib.contextmanager
def session_with(headers: Mapping[str, str]) -> Iterator[Session]:
    """Give a session that sends headers to the one address that was named, and nowhere else.

    TLS is verified by the system's certificates, or those that REQUESTS_CA_BUNDLE names.
    """
    import requests

    def signed(request: PreparedRequest) -> PreparedRequest:
        request.headers.update(headers)
        # The client names no port in it; left out, requests fills in what is right.
        request.headers.pop("Host", None)
        return request

    with requests.Session() as session:
        session.auth = signed  # else a password in ~/.netrc would go before a token
        session.max_redirects = 0
        yield session


def _without_password(url: str) -> str:
    return url.rpartition("@")[2]
