"""``tumorscope predict --dicomweb``: a study of an archive in, findings out, results stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.cli.predict_files import Request, predict_files
from tumorscope.common.errors import UsageError
from tumorscope.common.progress import say

if TYPE_CHECKING:
    from tumorscope.detection.detector import Detector


@dataclass(frozen=True, slots=True, kw_only=True)
class FromArchive:
    """What was asked for of an archive.

    Attributes
    ----------
    url, study, series : str, optional
        Its address, and the UIDs of study and series.
    headers : Path, optional
        File of HTTP headers.
    store : bool
        Whether results are stored there.
    """

    url: str | None = None
    study: str | None = None
    series: str | None = None
    headers: Path | None = None
    store: bool = False

    def check(self, paths: tuple[Path, ...]) -> bool:
        """Return whether a study of an archive is meant; refuse what says nothing together.

        Raises
        ------
        UsageError
            If there are neither paths nor an archive, both, or parts of an archive alone.
        """
        if self.url is None:
            if self != FromArchive():
                raise UsageError(
                    "Received --study, --series, --store or --dicomweb-headers without an archive; "
                    "expected --dicomweb URL with them. Name it, or leave them out."
                )
            if not paths:
                raise UsageError(
                    "Received no PATHS; expected images, volumes or folders, or --dicomweb URL "
                    "with --study UID. tumorscope predict --help shows examples."
                )
            return False
        if paths or self.study is None:
            raise UsageError(
                f"Received --dicomweb {'with paths' if paths else 'without a study'}; expected one "
                "study of the archive: --dicomweb URL --study UID, and no paths. Look at files in "
                "a run of their own."
            )
        return True


def predict_dicomweb(asked: FromArchive, load: Callable[[], Detector], request: Request) -> int:
    """Fetch a study, answer for each series of it, and return the exit code.

    Raises
    ------
    UsageError
        If a batch is to go on: what was fetched before is gone.
    """
    if request.resume:
        raise UsageError(
            "Received --resume with --dicomweb; expected files. A study is fetched anew each "
            "time, so leave --resume out."
        )
    from tumorscope.serving.dicomweb import Archive
    from tumorscope.serving.dicomweb_session import headers_from
    from tumorscope.serving.fetched_study import fetched

    archive = Archive(asked.url or "", headers=headers_from(asked.headers))
    with fetched(archive, asked.study or "", asked.series) as study:
        if study.left:
            say(f"{study.left} series of other modalities were left in the archive.")
        there = replace(
            request,
            paths=(study.folder,),
            archive=archive if asked.store else None,
            addressed=study.addressed,
        )
        return predict_files(there, load)
