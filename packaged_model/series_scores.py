"""Volumes → the score of each series, by the model that may be asked about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from packaged_model.listed_volumes import listed_volumes, planes_of
from tumorscope.detection.asking import asked_closely, first_asked
from tumorscope.detection.detector import Detector
from tumorscope.detection.looking import FINEST
from tumorscope.model_file.schema import Metadata
from tumorscope.model_file.series_rule import SeriesLevel, SeriesRule, refused_within
from tumorscope.scans import Plane, Volume, read_nifti, thinned_volume, views
from tumorscope.scans.head import HEAD_AREA, head_area


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What a model says of a volume along one plane.

    Attributes
    ----------
    path, source, subject, sequence : str
        As the list of volumes has them.
    label : int
        1 with a tumour, 0 without.
    left_out : bool
        Whether the source took no part in the training of the model that was asked.
    plane : str
        Of the slices.
    positions, logits, depths : ndarray of float
        Of the slices; logits are NaN where refused, depths None but for axial slices.
    heads : ndarray of bool
        Which slices show a head, not only air.
    """

    path: str
    source: str
    subject: str
    sequence: str
    label: int
    left_out: bool
    plane: Plane
    positions: NDArray[np.float64]
    logits: NDArray[np.float64]
    depths: NDArray[np.float64] | None
    heads: NDArray[np.bool_]

    @property
    def refused_within(self) -> bool:
        """Whether slices between answered ones were refused, as detection asks."""
        return refused_within(self.positions, np.isnan(self.logits))

    def score(self, rule: SeriesRule, metadata: Metadata) -> float:
        """Return the score of the series, its logits calibrated as the final model's are."""
        curve = self._curve(np.arange(len(self.positions)), rule, metadata)
        return -rule.limit if curve is None else float(curve.max())

    def sparing_score(self, rule: SeriesRule, metadata: Metadata, level: SeriesLevel) -> float:
        """Return the score where slices are asked about as `tumorscope.detection.asking` says."""
        asked = first_asked(self.positions)
        enough = int((~np.isnan(self.logits[asked])).sum()) >= rule.least
        curve = self._curve(asked, rule, metadata) if enough else None
        closer = asked_closely(self.positions, asked, curve, level)
        curve = self._curve(np.sort(np.concatenate([asked, closer])), rule, metadata)
        return -rule.limit if curve is None else float(curve.max())

    def _curve(
        self, places: NDArray[np.intp], rule: SeriesRule, metadata: Metadata
    ) -> NDArray[np.float64] | None:
        logits = self.logits[places]
        if np.isnan(logits).all():
            return None
        made = metadata.calibration
        probability = 1.0 / (1.0 + np.exp(-(made.slope * logits + made.intercept)))
        depths = None if self.depths is None else self.depths[places]
        return rule.curve(self.positions[places], probability, depths)


def scored_volumes(
    folder: Path, models: Mapping[Path, frozenset[str]], final: Path
) -> Iterator[Scored]:
    """Yield what is said of each volume along each plane.

    Parameters
    ----------
    folder : Path
        With volumes/volumes.csv: path, label, subject (``source:name``) and sequence.
    models : mapping of Path to frozenset of str
        Model file → sources that it was trained without, or subjects whose volumes its input check
        was learnt without.
    final : Path
        Asked about all other volumes.
    """
    detectors: dict[Path, Detector] = {}
    for listed in listed_volumes(folder):
        asked = next(
            (path for path, out in models.items() if listed.of_subject_or_source(out)), final
        )
        if asked not in detectors:
            detectors[asked] = Detector.load(asked, check_seen=False)
        volume = next(read_nifti(folder / listed.path))
        for plane in planes_of(volume):
            positions, logits, heads = _asked(detectors[asked], volume, plane)
            top = positions[heads].max() if heads.any() else positions[-1]
            yield Scored(
                listed.path,
                listed.source,
                listed.subject,
                listed.sequence,
                listed.label,
                not listed.names.isdisjoint(models.get(asked, ())),
                plane,
                positions,
                logits,
                top - positions if plane == "axial" else None,
                heads,
            )


def _asked(
    detector: Detector, volume: Volume, plane: Plane
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    volume = thinned_volume(volume, FINEST, plane)  # as predict does, for the window
    scans = list(views(volume, plane, every=FINEST))
    positions = np.array([scan.position for scan in scans])
    heads = np.array([head_area(scan) >= HEAD_AREA for scan in scans])
    found = detector.detect_many([scan.slice for scan in scans])
    logits = np.array([np.nan if each.logit is None else each.logit for each in found])
    return positions, logits, heads
