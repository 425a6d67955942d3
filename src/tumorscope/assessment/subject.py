"""What is measured, a run or a model file, and the images that it is measured on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tumorscope.auditing.prepare import prepare_manifest
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.common.errors import InputError, UsageError
from tumorscope.detection.detector import PACKAGED, PACKAGED_NAME, model_path
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.model_file.other_formats import SUFFIXES, read_any
from tumorscope.records.edited import Edited, edited_since
from tumorscope.records.run_folder import Run, RunContents


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured.

    Attributes
    ----------
    path : Path
        Of the run or the model file.
    run : RunContents or None
        None where a model file alone is measured.
    model : ModelFile or None
        Of a run its own; None where it has none.
    """

    path: Path
    run: RunContents | None
    model: ModelFile | None

    @property
    def name(self) -> str:
        """What one would type to name it."""
        return PACKAGED_NAME if self.path == PACKAGED else str(self.path)

    @property
    def model_id(self) -> str:
        """The name of the model that answers; "" where there is none."""
        return "" if self.model is None else self.model.metadata.id


@dataclass(frozen=True, slots=True)
class Scored:
    """The images to measure on.

    Attributes
    ----------
    whole : Manifest
        The cohort that they are of.
    manifest : Manifest
        The images.
    data : path, Manifest or None
        As it was asked for; None for a run's own testing images.
    edited : Edited or None
        Of a run's own testing images: what its manifest.csv says otherwise than in training.
    """

    whole: Manifest
    manifest: Manifest
    data: Data | None
    edited: Edited | None = None

    @property
    def edits(self) -> list[str]:
        """What a reader must know of such changes, in sentences."""
        return [] if self.edited is None else self.edited.notes()

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Files that could not be read; of a run's own cohort its training told of them."""
        return self.whole.unreadable if self.external else ()

    @property
    def passed_over(self) -> PassedOver:
        """What of a folder was not looked at; again of other cohorts only."""
        return self.whole.notes.passed_over if self.external else PassedOver()

    @property
    def external(self) -> bool:
        """Whether they come from elsewhere than a run's own cohort."""
        return self.data is not None


def subject_of(given: str | Path | Run) -> Subject:
    """Return what a path, or "packaged", names.

    Raises
    ------
    InputError
        If it is neither a finished run nor a model file.
    """
    if not isinstance(given, Run) and not (Path(given) / "run.json").is_file():
        given = model_path(given)
        if given.suffix.lower() in SUFFIXES:
            file = read_any(given)
            return Subject(file.path, None, file)
    run = given if isinstance(given, Run) else Run.open(given)
    own = run.folder / "model.onnx"
    return Subject(run.folder, run.read(), read_any(own) if own.is_file() else None)


def images_for(subject: Subject, data: Data | None) -> Scored:
    """Return the images to measure on: a cohort, or a run's own testing images.

    Raises
    ------
    UsageError
        If a model file is given without a cohort.
    InputError
        If there are no images.
    HonestyError
        If the run's splits divide copies of one picture.
    """
    if data is not None:
        whole = prepare_manifest(data)
        manifest = whole.usable
        if len(manifest) == 0:
            raise InputError(f"{data} has no readable image. Expected labelled brain MRI slices.")
        return Scored(whole, manifest, data)
    if subject.run is None:
        raise UsageError(
            f"{subject.name} was given without images. Expected a cohort that the model has not "
            "seen: tumorscope evaluate MODEL.onnx DATA."
        )
    subject.run.check_groups()
    whole = subject.run.manifest
    manifest = whole.usable.of_split("testing")
    if len(manifest) == 0:
        raise InputError(
            f"The run {subject.path} has no testing images. Expected some, or a cohort to test on: "
            "tumorscope evaluate RUN DATA."
        )
    return Scored(whole, manifest, None, edited_since(subject.run))
