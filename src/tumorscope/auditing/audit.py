"""A folder of scans → what is wrong with it, and which images must stay together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tumorscope.auditing.conclude import conclude
from tumorscope.auditing.input_check import InputCheck, packaged_check
from tumorscope.auditing.look import look_at_all, with_rows
from tumorscope.auditing.result import Audit
from tumorscope.cohort.group_from import Grouping, group_by
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.masks import settle_masks
from tumorscope.cohort.overwriting import protect_edits, refuse_others
from tumorscope.cohort.scan import check_readable, list_cohort
from tumorscope.common.errors import InputError
from tumorscope.common.extras import require
from tumorscope.common.files import output_folder, write_json
from tumorscope.common.locks import one_writer, until_done


@one_writer
def audit(
    data: str | Path | Manifest,
    *,
    against: Sequence[str | Path | Manifest] = (),
    output: str | Path | None = None,
    probes: bool = True,
    input_check: bool | InputCheck = True,
    group_from: str | Path | None = None,
) -> Audit:
    """Audit a cohort: unreadable files, copies, label conflicts, overlap, shortcuts, balance.

    Parameters
    ----------
    data : path or Manifest
        A folder of class folders, or a manifest (CSV). Splits, sources and groups of a manifest
        are kept; its groups are joined where their images show one picture, never separated.
    against : sequence of path or Manifest
        Other cohorts in which the same pictures are looked for.
    output : path, optional
        Folder for ``manifest.csv``, ``audit.json`` and ``report.html``.
    probes : bool
        Whether shortcuts are measured (needs scikit-learn).
    input_check : bool or InputCheck
        What says which images are perhaps not brain MRI; by default the packaged model, if any.
    group_from : str or path, optional
        What says which images are of one patient: a regular expression on paths, or a CSV file;
        see `tumorscope.cohort.group_from.group_by`.

    Raises
    ------
    InputError
        If there is nothing to audit: no folder, no classes, nothing readable, a bad manifest.
    UsageError
        If `output` holds edits that would be lost; or `group_from` tells no patients apart.
    OutputError
        If `output` cannot be written to.
    MissingExtraError
        If the extra “train” is not installed, which probes and the report need.

    Examples
    --------
    >>> from tumorscope.synthetic.phantom import write_phantom_cohort
    >>> write_phantom_cohort("scans", n=6, seed=1, duplicates=2)
    >>> found = audit("scans", probes=False)
    >>> len(found.manifest), len(set(found.manifest.groups.tolist()))
    (8, 6)
    """
    _require(probes=probes, report=output is not None)
    cohort, others = _cohort(data), [_cohort(other) for other in against]
    # A rule that names nobody is refused before the images are read, and asked again afterwards.
    ruled, _ = _grouped(cohort, group_from)
    folder = None if output is None else _reserved(Path(output), ruled, data)
    check = packaged_check() if input_check is True else input_check or None
    cohort, looks = look_at_all(cohort, "Reading", probes=probes, check=check)
    check_readable(cohort, cohort.rows, looks[0].reason)
    cohort, grouping = _grouped(settle_masks(cohort), group_from)
    found = conclude(cohort, with_rows(looks, cohort.rows), others, check, grouping)
    if folder is not None:
        _write(found, folder)
    return found


def _require(*, probes: bool, report: bool) -> None:
    needed = ("sklearn",) * probes + ("matplotlib",) * report
    if needed:
        require("train", to="audit a cohort", only=needed)


def _cohort(data: str | Path | Manifest) -> Manifest:
    if isinstance(data, Manifest):
        return data
    path = Path(data)
    return Manifest.load(path) if path.is_file() else list_cohort(path)


def _grouped(cohort: Manifest, rule: str | Path | None) -> tuple[Manifest, Grouping | None]:
    return (cohort, None) if rule is None else group_by(cohort, rule)


def _write(found: Audit, folder: Path) -> None:
    from tumorscope.auditing.report import write_report

    found.manifest.save(folder / "manifest.csv")
    write_json(folder / "audit.json", found.to_json())
    write_report(found, folder / "report.html")


def _reserved(folder: Path, cohort: Manifest, data: str | Path | Manifest) -> Path:
    """Return the folder for the results, once it is sure that nothing of somebody's is lost."""
    manifest = folder / "manifest.csv"
    refuse_others(
        folder,
        {"audit.json": lambda _: _audited(manifest, cohort)},
        reading=None if isinstance(data, Manifest) else data,
    )
    protect_edits(cohort, manifest)
    output_folder(folder)
    until_done(manifest)  # which `tumorscope split` changes by itself
    return folder


def _audited(path: Path, cohort: Manifest) -> bool:
    """Whether the manifest of an audit is of this cohort, though files may have come or gone."""
    if not path.is_file() or cohort.form.is_of(path):
        return True
    try:
        there = Manifest.load(path)
    except InputError:
        return True  # `protect_edits` says more of it
    files = {cohort.file(row).absolute() for row in cohort.rows}
    kept = sum(there.file(row).absolute() in files for row in there.rows)
    return 2 * kept >= min(len(there), len(cohort))
