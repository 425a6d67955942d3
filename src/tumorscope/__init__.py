"""Train, check and run brain-MRI tumour detectors.

Research use only. Not a medical device. Not for diagnosis.

Examples
--------
>>> import tumorscope as ts
>>> ts.write_phantom_cohort("scans", n=8, seed=1)
>>> manifest = ts.audit("scans", probes=False).manifest
>>> len(manifest), manifest.labels.tolist()
(8, [0, 0, 0, 0, 1, 1, 1, 1])
>>> finding = ts.Detector.load().detect("scans/yes/slice00001.png")
>>> finding.decision
'tumour'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tumorscope.common.offline import keep_offline

if TYPE_CHECKING:
    from tumorscope.assessment.evaluate import evaluate, evaluate_types
    from tumorscope.assessment.evaluation import Evaluation, TypeEvaluation
    from tumorscope.assessment.robustness import Robustness, measure_robustness
    from tumorscope.auditing.audit import audit
    from tumorscope.auditing.result import Audit
    from tumorscope.cohort.manifest import Manifest
    from tumorscope.cohort.slices import Slicing, slices
    from tumorscope.cohort.split import split
    from tumorscope.detection.detector import Detector
    from tumorscope.detection.finding import Finding
    from tumorscope.detection.series import detect_study
    from tumorscope.detection.series_finding import SeriesFinding
    from tumorscope.experiments.comparison.compare import compare
    from tumorscope.experiments.comparison.table import Comparison
    from tumorscope.experiments.crossval import CrossValidation, crossval, crossval_types
    from tumorscope.experiments.search.result import Search
    from tumorscope.experiments.search.tune import tune
    from tumorscope.imaging import Image, Slice, read_slice
    from tumorscope.recipes.recipe import Recipe
    from tumorscope.records.run_folder import Run
    from tumorscope.synthetic.phantom import write_phantom_cohort
    from tumorscope.training.train import train

__version__ = "0.1.0"

_HOMES = {
    "Audit": "auditing.result",
    "Comparison": "experiments.comparison.table",
    "CrossValidation": "experiments.crossval",
    "Detector": "detection.detector",
    "Evaluation": "assessment.evaluation",
    "Finding": "detection.finding",
    "Image": "imaging",
    "Manifest": "cohort.manifest",
    "Recipe": "recipes.recipe",
    "Robustness": "assessment.robustness",
    "Run": "records.run_folder",
    "Search": "experiments.search.result",
    "SeriesFinding": "detection.series_finding",
    "Slice": "imaging",
    "Slicing": "cohort.slices",
    "TypeEvaluation": "assessment.evaluation",
    "audit": "auditing.audit",
    "compare": "experiments.comparison.compare",
    "crossval": "experiments.crossval",
    "crossval_types": "experiments.crossval",
    "detect_study": "detection.series",
    "evaluate": "assessment.evaluate",
    "evaluate_types": "assessment.evaluate",
    "measure_robustness": "assessment.robustness",
    "read_slice": "imaging",
    "slices": "cohort.slices",
    "split": "cohort.split",
    "train": "training.train",
    "tune": "experiments.search.tune",
    "write_phantom_cohort": "synthetic.phantom",
}

__all__ = [
    "Audit",
    "Comparison",
    "CrossValidation",
    "Detector",
    "Evaluation",
    "Finding",
    "Image",
    "Manifest",
    "Recipe",
    "Robustness",
    "Run",
    "Search",
    "SeriesFinding",
    "Slice",
    "Slicing",
    "TypeEvaluation",
    "audit",
    "compare",
    "crossval",
    "crossval_types",
    "detect_study",
    "evaluate",
    "evaluate_types",
    "measure_robustness",
    "read_slice",
    "slices",
    "split",
    "train",
    "tune",
    "write_phantom_cohort",
]


keep_offline()


def __getattr__(name: str) -> object:
    # Loaded on first use, so that `import tumorscope` costs next to nothing.
    if name in _HOMES:
        return getattr(import_module(f"tumorscope.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'tumorscope' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
