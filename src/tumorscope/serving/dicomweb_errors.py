"""What goes wrong on the way to an archive, in words: where, why, and what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from tumorscope.common.errors import InputError, OutputError, TumorscopeError

STATUS: Mapping[int, str] = {
    400: "it does not understand the request. Check the address and the UIDs",
    401: "it wants to know who asks. Put a token into TUMORSCOPE_DICOMWEB_TOKEN, or headers into a "
    "file for --dicomweb-headers",
    403: "this user may not. Ask who runs it",
    404: "there is nothing at that address. Check it, and the UIDs of study and series",
    406: "it does not send instances as they are stored. Ask who runs it",
    409: "it refuses what was sent. Ask who runs it whether it takes SR and Secondary Capture",
    429: "it is busy. Try again later",
    503: "it is busy. Try again later",
    413: "what was sent is too large for it. Ask who runs it",
}
"""HTTP status → what it means here, and what to do."""


@contextlib.contextmanager
def explained(
    what: str, *, error: type[InputError] | type[OutputError] = InputError
) -> Iterator[None]:
    """Turn what HTTP libraries raise within the block into one paragraph.

    Parameters
    ----------
    what : str
        What was to be done, after "Could not".
    error : type
        What is raised in its place.
    """
    import requests

    try:
        yield
    except TumorscopeError:
        raise
    except requests.exceptions.SSLError as cause:
        raise error(
            f"Could not {what}: its certificate cannot be verified. Expected one of an authority "
            "that this machine knows. Name the file of yours in REQUESTS_CA_BUNDLE."
        ) from cause
    except requests.exceptions.TooManyRedirects as cause:
        raise error(
            f"Could not {what}: it sends requests on to another address, which may be no archive "
            "of yours. Expected an answer. Give the address where the service is."
        ) from cause
    except requests.exceptions.HTTPError as cause:
        status = 0 if cause.response is None else cause.response.status_code
        meaning = STATUS.get(status, "it failed. Try again, and ask who runs it")
        raise error(f"Could not {what} (HTTP status {status}): {meaning}.") from cause
    except requests.exceptions.InvalidJSONError as cause:
        raise error(_no_dicom(what, cause)) from cause
    except requests.exceptions.RequestException as cause:
        raise error(
            f"Could not {what}: {_kind(cause)}. Expected a DICOMweb service there that answers. "
            "Check the address and the network."
        ) from cause
    except (OSError, MemoryError):  # of this machine, such as a full disk
        raise
    except Exception as cause:  # what parsers of answers raise
        raise error(_no_dicom(what, cause)) from cause


def _no_dicom(what: str, cause: Exception) -> str:
    return (
        f"Could not {what}: its answer is no DICOM ({type(cause).__name__}). Expected a DICOMweb "
        "service (QIDO-RS, WADO-RS, STOW-RS). Check the address."
    )


def _kind(cause: Exception) -> str:
    import requests

    if isinstance(cause, requests.exceptions.Timeout):
        return "there is no answer in time"
    if isinstance(cause, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(cause, requests.exceptions.ConnectionError):
        return "no connection can be made"
    return type(cause).__name__
