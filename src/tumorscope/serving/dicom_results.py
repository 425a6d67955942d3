"""A finding → the DICOM objects that archives keep and viewers show beside the scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.common.extras import require
from tumorscope.common.files import atomic_path
from tumorscope.serving.encoded import encoded
from tumorscope.serving.source_objects import sources_of

if TYPE_CHECKING:
    from pydicom import Dataset

    from tumorscope.detection.series_finding import SeriesFinding
    from tumorscope.model_file.schema import Metadata


def results_of(found: SeriesFinding, metadata: Metadata) -> tuple[Dataset, ...]:
    """Return the results of a finding as DICOM objects: a structured report, then a capture.

    For the same instances, model and settings they are the same objects, with the same UIDs; a
    late instance, another model or another version of this program makes others. Source files are
    only read.

    Parameters
    ----------
    found : SeriesFinding
        Of a DICOM series, whose files still lie where they were.
    metadata : Metadata
        Of the model that answered: `Detector.metadata`.

    Returns
    -------
    tuple of pydicom.Dataset
        A Comprehensive 3D SR and a Secondary Capture, with file meta information for Explicit VR
        Little Endian.

    Raises
    ------
    InputError
        If the finding is not of DICOM, or its files are gone.
    MissingExtraError
        If the extra “dicom” is not installed.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> import tumorscope as ts
    >>> detector = ts.Detector.load()
    >>> found = detector.detect_series(get_testdata_file("MR_small.dcm"))
    >>> [each.Modality for each in results_of(found, detector.metadata)]
    ['SR', 'OT']
    """
    require("dicom", to="write results as DICOM objects")
    from tumorscope.serving.secondary_capture import secondary_capture
    from tumorscope.serving.structured_report import structured_report

    sources = sources_of(found)
    return structured_report(found, sources), secondary_capture(found, sources, metadata)


def write_results(found: SeriesFinding, metadata: Metadata, folder: Path) -> tuple[Path, ...]:
    """Write the results of a finding into a folder; see `results_of` and `write_result`."""
    return tuple(write_result(made, folder) for made in results_of(found, metadata))


def file_name(made: Dataset) -> str:
    """Return what the file of a result is called: by kind and UID, ``SR-2.25.….dcm``.

    So the same result is the same file.
    """
    return f"{'SR' if made.Modality == 'SR' else 'SC'}-{made.SOPInstanceUID}.dcm"


def write_result(made: Dataset, folder: Path) -> Path:
    """Write one result into a folder, whole or not at all; return where.

    Raises
    ------
    OutputError
        If the folder cannot be written to.
    """
    path = folder / file_name(made)
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded(made))
    return path
