"""Which volumes of a folder are cut, whose each is, and which mask belongs to it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import numpy as np

from tumorscope.cohort.class_folders import label_of_folder
from tumorscope.cohort.group_from import group_by
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.cohort.segmentations import Segmentations
from tumorscope.cohort.volume_names import keys_of_masks, mask_of, patients_of, stem_of
from tumorscope.common.errors import InputError
from tumorscope.scans import Series, StudyIndex, Volume, patient_code, read_volumes, same_grid


class Plan:
    """What is to be cut, whose it is, and which mask belongs to it."""

    def __init__(
        self,
        root: Path,
        index: StudyIndex,
        masks: str | None,
        tumour_free: tuple[str, ...],
        group_from: str | Path | None,
        *,
        segments: Sequence[str],
    ) -> None:
        if not index.series:
            raise InputError(
                f"Found no volumes in {root}. Expected DICOM or NIfTI files (.nii, .nii.gz) of MR "
                "images. `tumorscope audit` takes folders of pictures."
            )
        self.root, self._tumour_free = root, tumour_free
        self._masks, self._group_from, self._segments = masks, group_from, tuple(segments)
        paths = {self.relative(each.path): each for each in index.series}
        self._series = paths
        nifti = [path for path, each in paths.items() if each.kind == "nifti"]
        files = {self.relative(path): path for path in index.segmentations}
        keys = keys_of_masks(nifti if masks is None else [*nifti, *files], masks)
        self._keys = {path: key for path, key in keys.items() if path not in files}
        others = [path for name, path in files.items() if masks is not None and name not in keys]
        self.segmentations = Segmentations(
            index.segmentations, index.series, segments, not_meant=others
        )
        self._by_key: dict[str, list[str]] = {}
        for mask, key in self._keys.items():
            self._by_key.setdefault(key, []).append(mask)
        self._named = [] if masks is None else list(PurePosixPath(masks).parts[:-1])
        self.scans = [each for path, each in paths.items() if path not in self._keys]
        self._groups = self._grouped(group_from)

    def rules(self) -> dict[str, object]:
        """Return what decides labels and groups, as JSON takes it."""
        chosen = {"segments": self._segments} if self._segments else {}  # as older folders have it
        return {
            "masks": self._masks,
            "tumour_free": list(self._tumour_free),
            "group_from": str(self._group_from or ""),
            **chosen,
        }

    def relative(self, path: str) -> str:
        """Return a path as seen from the folder."""
        if Path(path) == self.root:
            return self.root.name
        return Path(path).relative_to(self.root).as_posix()

    def group(self, series: Series) -> str:
        """Return whose series it is."""
        return self._groups[self.relative(series.path)]

    def masks(self, series: Series) -> list[str]:
        """Return the masks that it may have, as paths below the folder."""
        path = self.relative(series.path)
        stem = stem_of(path)
        near = {
            mask: stem[:end]
            for end in range(len(stem) + 1)
            for mask in self._by_key.get(stem[:end], ())
        }
        named = mask_of(path, near, named=self._named)
        return [*named, *map(self.relative, self.segmentations.of(series))]

    def label(self, series: Series) -> int | None:
        """Return what is known of the volume as a whole: 0 no tumour, 1 tumour, None nothing."""
        path = self.relative(series.path)
        if any(fnmatch(path, pattern) for pattern in self._tumour_free):
            return 0
        said = [label_of_folder(name) for name in PurePosixPath(path).parts[:-1]]
        return next((label for label in said if label is not None), None)

    def _grouped(self, rule: str | Path | None) -> dict[str, str]:
        paths = [self.relative(each.path) for each in self.scans]
        keys = {}
        for each in self.scans:
            found = self.masks(each)
            if len(found) == 1 and (key := self._keys.get(found[0])):
                keys[self.relative(each.path)] = key
        named = patients_of(paths, keys)
        for each in self.scans:
            if code := patient_code(each):
                named[self.relative(each.path)] = code
        if rule is None:
            return named
        listed = Manifest(
            tuple(Row(path, digest_of(path, 64), 0, named[path]) for path in paths), self.root
        )
        return {row.path: row.group for row in group_by(listed, rule)[0].rows}

    def mask_for(self, volume: Volume, series: Series) -> tuple[Volume | None, str]:
        """Return the mask of a volume, and why it cannot be labelled, if so."""
        masks, label = self.masks(series), self.label(series)
        if not masks:
            return None, "" if label == 0 else "no-mask"
        if len(masks) > 1:
            return None, "several-masks"
        mask, reason = self._mask(masks[0], volume)
        if mask is None:
            return None, "" if reason == "no-mask" and label == 0 else reason
        if label == 0 and float(mask.voxels.max()) > 0:
            return None, "contradiction"
        return mask, ""

    def _mask(self, path: str, volume: Volume) -> tuple[Volume | None, str]:
        if path not in self._keys:
            return self.segmentations.mask(os.fspath(self.root / path), volume)
        mask = next(read_volumes(self._series[path]), None)
        if not isinstance(mask, Volume):
            return None, "mask-unreadable"
        if not same_grid(volume, mask):
            return None, "other-grid"
        if not self._segments:
            return mask, ""
        numbers = [float(each) for each in self._segments if each.strip().isdecimal()]
        if not numbers:  # a map of labels has no names
            return None, "no-segment"
        chosen = np.isin(mask.voxels, numbers).astype(np.uint8)
        return replace(mask, voxels=chosen), ""


def digest_of(text: str, digits: int) -> str:
    """Return the first hexadecimal digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
