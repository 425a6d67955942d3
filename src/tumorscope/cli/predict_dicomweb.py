"""``tumorscope predict --dicomweb``: a study of an archive in, findings out, results stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter

from tumorscope.cli.options import Flag
from tumorscope.cli.predict_files import Request, predict_files
from tumorscope.common.errors import UsageError
from tumorscope.common.progress import say

if TYPE_CHECKING:
    from tumorscope.detection.detector import Detector


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FromArchive:
    """What is asked of an archive: options of ``tumorscope predict``."""

    dicomweb: str | None = None
    """Instead of paths: address of an archive that speaks DICOMweb. A token is taken from the
    environment variable TUMORSCOPE_DICOMWEB_TOKEN; certificates are verified."""

    study: str | None = None
    """With --dicomweb: Study Instance UID. Its MR series are fetched, and removed afterwards."""

    series: str | None = None
    """With --study: Series Instance UID, for that series alone."""

    dicomweb_headers: Path | None = None
    """With --dicomweb: file with HTTP headers, one NAME: VALUE a line."""

    store: Flag = False
    """With --dicomweb: store the results in the archive, beside the study."""

    def check(self, paths: tuple[Path, ...]) -> bool:
        """Return whether a study of an archive is meant; refuse what says nothing together.

        Raises
        ------
        UsageError
            If there are neither paths nor an archive, both, or parts of an archive alone.
        """
        if self.dicomweb is None:
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

    archive = Archive(asked.dicomweb or "", headers=headers_from(asked.dicomweb_headers))
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
