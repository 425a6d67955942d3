"""DICOM, NIfTI, NRRD → volumes → the slices that a radiologist sees. Needs the extra “dicom”."""

from tumorscope.scans.frame import Acquisition, Frame, Layout
from tumorscope.scans.index import StudyIndex, index_study
from tumorscope.scans.nifti import read_nifti
from tumorscope.scans.not_read import NotRead
from tumorscope.scans.parts import distinct_volumes
from tumorscope.scans.patient import patient_code
from tumorscope.scans.planes import Plane, acquired_plane, directions
from tumorscope.scans.read import read_volumes
from tumorscope.scans.remark import Remark
from tumorscope.scans.segment_mask import mask_on
from tumorscope.scans.segmentation import Segmentation, header_text, read_segmentation
from tumorscope.scans.series import Series
from tumorscope.scans.thinning import thinned_volume
from tumorscope.scans.views import ScanSlice, mask_views, positions_of, same_grid, views
from tumorscope.scans.volume import SliceOrigin, Volume
from tumorscope.scans.window import Applied, Window

__all__ = [
    "Acquisition",
    "Applied",
    "Frame",
    "Layout",
    "NotRead",
    "Plane",
    "Remark",
    "ScanSlice",
    "Segmentation",
    "Series",
    "SliceOrigin",
    "StudyIndex",
    "Volume",
    "Window",
    "acquired_plane",
    "directions",
    "distinct_volumes",
    "header_text",
    "index_study",
    "mask_on",
    "mask_views",
    "patient_code",
    "positions_of",
    "read_nifti",
    "read_segmentation",
    "read_volumes",
    "same_grid",
    "thinned_volume",
    "views",
]
