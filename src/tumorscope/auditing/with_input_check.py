"""An audit with the packaged model's input check, which cohorts cannot know of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tumorscope.auditing.audit import audit as audit_cohort
from tumorscope.auditing.input_check import Checked
from tumorscope.auditing.result import Audit
from tumorscope.cohort.manifest import Manifest
from tumorscope.detection.detector import PACKAGED
from tumorscope.detection.input_check import ModelInputCheck
from tumorscope.imaging.slice import Slice
from tumorscope.model_file.other_formats import read_any


@dataclass(frozen=True, slots=True)
class _Check:
    """The check of a model, in the words of a cohort."""

    by: ModelInputCheck

    @property
    def model(self) -> str:
        return self.by.model

    @property
    def limit(self) -> float | None:
        return self.by.limit

    def __call__(self, scan: Slice, coloured: float) -> Checked:
        return Checked(*self.by.check(scan, coloured))


def audit(
    data: str | Path | Manifest,
    *,
    against: Sequence[str | Path | Manifest] = (),
    output: str | Path | None = None,
    probes: bool = True,
    input_check: bool = True,
    group_from: str | Path | None = None,
) -> Audit:
    """Audit a cohort: unreadable files, copies, label conflicts, overlap, shortcuts, balance.

    Parameters
    ----------
    data : path or Manifest
        A folder of class folders, or a manifest (CSV). Splits, sources and groups of a manifest
        are kept; its groups are joined where their images show one picture, never parted.
    against : sequence of path or Manifest
        Other cohorts in which the same pictures are looked for.
    output : path, optional
        Folder for ``manifest.csv``, ``audit.json`` and ``report.html``.
    probes : bool
        Whether shortcuts are measured (needs scikit-learn).
    input_check : bool
        Whether the packaged model says which images are perhaps no brain MRI; where the
        installation holds no model, nobody does.
    group_from : str or path, optional
        What says which images belong together: a regular expression that is searched for in each
        path, as seen from the folder, and whose first group (or whole match) is the patient; or a
        CSV file with the columns ``path`` and ``group``, ``patient`` or ``subject``. Groups of a
        manifest are joined by it, never parted.

    Raises
    ------
    InputError
        If there is nothing to audit: no folder, no classes, nothing readable, a bad manifest.
    UsageError
        If `output` holds a manifest that somebody edited, which would be lost; or `group_from`
        is no rule, or tells no patients apart.
    OutputError
        If `output` cannot be written to.

    Examples
    --------
    >>> found = audit("scans/", output="audit/")  # doctest: +SKIP
    >>> found.manifest.groups  # doctest: +SKIP
    """
    check = None
    if input_check and PACKAGED.is_file():
        check = _Check(ModelInputCheck.of(read_any(PACKAGED)))
    return audit_cohort(
        data, against=against, output=output, probes=probes, check=check, group_from=group_from
    )
