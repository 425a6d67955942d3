"""An archive that speaks DICOMweb: its series are listed, fetched as stored, and results stored.

Nothing is asked of it that the standard leaves open: instances come series by series in the
transfer syntax they are stored in, as archives need not be able to decompress them.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.common.errors import InputError, OutputError, UsageError
from tumorscope.common.extras import require
from tumorscope.scans.dicom_file import silent
from tumorscope.serving.dicomweb_errors import explained
from tumorscope.serving.dicomweb_session import check_address, session_with
from tumorscope.serving.encoded import encoded

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient
    from pydicom import Dataset

AS_STORED = (("application/dicom", "*"),)
"""Without this, the client asks for no transfer syntax and archives decompress, or fail to."""

TIMEOUT = (10.0, 120.0)
"""Seconds until a connection stands, and between two pieces of an answer."""

CHUNK = 1_000_000
"""Bytes of an answer at once."""

WHOLE = 2**31
"""Bytes of a request at once, more than a result has: in chunks it could not be repeated."""


@dataclass(frozen=True, slots=True)
class SeriesThere:
    """A series as an archive lists it.

    Attributes
    ----------
    uid, modality : str
        The modality is empty where the archive does not say.
    images : int, optional
        How many instances there are, if the archive says so.
    """

    uid: str
    modality: str
    images: int | None


class Archive:
    """A DICOMweb service.

    Parameters
    ----------
    url : str
        Its root, such as ``https://pacs.example/dicom-web``.
    headers : mapping of str to str, optional
        Sent with each request, such as a token; see `tumorscope.serving.dicomweb_session`.

    Raises
    ------
    UsageError
        If that is no such address, or a token would travel in clear.
    MissingExtraError
        If the extra “dicom” is not installed.
    """

    def __init__(self, url: str, *, headers: Mapping[str, str] | None = None) -> None:
        require("dicom", to="ask an archive over DICOMweb")
        self.url = check_address(url, secret=bool(headers))
        self._headers = dict(headers or {})

    def series_of(self, study: str) -> list[SeriesThere]:
        """Return the series of a study, by UID.

        Raises
        ------
        InputError
            If the archive cannot be asked, or knows no such study.
        """
        check_uid("--study", study)
        with self._client() as client, explained(f"list the series of a study at {self.url}"):
            found = _listed(client, study)
        if not found:
            raise InputError(
                f"The archive at {self.url} knows no series of the study {study}. Expected the "
                "Study Instance UID of one that it holds. Check the UID, and whether this user may "
                "see the study."
            )
        return sorted(found, key=lambda each: each.uid)

    def fetch(self, study: str, series: SeriesThere, folder: Path) -> int:
        """Write the instances of a series into a folder, one at a time; return how many.

        Raises
        ------
        InputError
            If they do not arrive, or fewer than there are.
        """
        folder.mkdir(parents=True, exist_ok=True)
        count = 0
        with (
            self._client() as client,
            explained(f"fetch a series from {self.url}"),
            silent(),
        ):
            for dataset in client.iter_series(study, series.uid, media_types=AS_STORED):
                (folder / f"{count:05d}.dcm").write_bytes(encoded(dataset))
                count += 1
        if series.images is not None and count < series.images:
            raise InputError(
                f"The archive at {self.url} sent {count} instances of a series of {series.images}. "
                "Expected all of them, as a series in part has another answer. Try again."
            )
        return count

    def store(self, results: Sequence[Dataset]) -> None:
        """Store objects; those that are there already stay as they are.

        Raises
        ------
        OutputError
            If the archive does not take all of them.
        """
        with (
            self._client() as client,
            explained(f"store results at {self.url}", error=OutputError),
            silent(),
        ):
            client.set_chunk_size(WHOLE)
            answer = client.store_instances(results)
        # Some archives send this sequence also where it holds nothing.
        failed = answer.get("FailedSOPSequence") or ()
        if len(failed):
            codes = sorted({f"{int(each.get('FailureReason') or 0):04X}" for each in failed})
            raise OutputError(
                f"The archive at {self.url} refused {len(failed)} of {len(results)} results "
                f"(reason {', '.join(codes)} as DICOM numbers them). Expected that it takes SR and "
                "Secondary Capture. Ask who runs it, or keep them with --dicom-results."
            )

    @contextlib.contextmanager
    def _client(self) -> Iterator[DICOMwebClient]:
        from dicomweb_client import DICOMwebClient

        with session_with(self._headers) as session:
            client = DICOMwebClient(
                self.url,
                session=session,
                chunk_size=CHUNK,
                timeout=TIMEOUT,
                # Of many real studies the UIDs do not follow the standard to the letter.
                permissive_uid=True,
            )
            # It tries again after any error, also a wrong certificate, for half a minute.
            client.set_http_retry_params(retry=False)
            yield client


def check_uid(option: str, uid: str) -> str:
    """Return a UID that may stand in an address.

    Raises
    ------
    UsageError
        If it holds anything but digits and dots.
    """
    if not re.fullmatch(r"[0-9.]{1,64}", uid):
        raise UsageError(
            f"Received {uid!r} for {option}; expected a UID, digits and dots, 64 at most, as the "
            "archive lists it. Copy it from there."
        )
    return uid


def _listed(client: DICOMwebClient, study: str) -> list[SeriesThere]:
    """Return all series, also where an archive lists some at a time.

    The client's own way would not end where an archive lists the same ones whatever is asked.
    """
    found: dict[str, SeriesThere] = {}
    asked = 0
    while answer := client.search_for_series(study, offset=asked or None):
        asked += len(answer)
        listed = {each.uid: each for each in map(_there, answer)}
        if listed.keys() <= found.keys():
            break
        found |= listed
    return list(found.values())


def _there(answer: object) -> SeriesThere:
    from pydicom import Dataset

    with silent():
        header = Dataset.from_json(answer)
        images = header.get("NumberOfSeriesRelatedInstances")
        return SeriesThere(
            uid=str(header.get("SeriesInstanceUID") or ""),
            modality=str(header.get("Modality") or ""),
            images=None if images in (None, "") else int(images),
        )
