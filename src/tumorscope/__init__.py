"""Brain-MRI tumour detection that is honest about itself.

Research use only. Not a medical device. Not for diagnosis.

>>> import tumorscope as ts
>>> manifest = ts.audit("scans/").manifest                          # doctest: +SKIP
>>> run = ts.train(manifest, recipe="paper", output="runs/a")       # doctest: +SKIP
>>> report = ts.evaluate(run)                                       # doctest: +SKIP
>>> finding = ts.Detector.load("model.onnx").detect("scan.jpg")     # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tumorscope.cohort.audit import Audit
    from tumorscope.cohort.manifest import Manifest
    from tumorscope.cohort.phantom import write_phantom_cohort
    from tumorscope.cohort.split import split
    from tumorscope.detection.detector import Detector
    from tumorscope.detection.finding import Finding
    from tumorscope.imaging import Image, Slice, read_slice
    from tumorscope.training.assess import Evaluation, evaluate
    from tumorscope.training.audit import audit
    from tumorscope.training.comparison.compare import compare
    from tumorscope.training.comparison.table import Comparison
    from tumorscope.training.crossval import CrossValidation, crossval
    from tumorscope.training.recipe import Recipe
    from tumorscope.training.robustness import Robustness, measure_robustness
    from tumorscope.training.run import Run, train
    from tumorscope.training.search import Search, tune
    from tumorscope.training.tumour_type import TypeEvaluation, crossval_types, evaluate_types

__version__ = "0.1.0"

_HOMES = {
    "Audit": "cohort.audit",
    "Comparison": "training.comparison.table",
    "CrossValidation": "training.crossval",
    "Detector": "detection.detector",
    "Evaluation": "training.assess",
    "Finding": "detection.finding",
    "Image": "imaging",
    "Manifest": "cohort.manifest",
    "Recipe": "training.recipe",
    "Robustness": "training.robustness",
    "Run": "training.run",
    "Search": "training.search",
    "Slice": "imaging",
    "TypeEvaluation": "training.tumour_type",
    "audit": "training.audit",
    "compare": "training.comparison.compare",
    "crossval": "training.crossval",
    "crossval_types": "training.tumour_type",
    "evaluate": "training.assess",
    "evaluate_types": "training.tumour_type",
    "measure_robustness": "training.robustness",
    "read_slice": "imaging",
    "split": "cohort.split",
    "train": "training.run",
    "tune": "training.search",
    "write_phantom_cohort": "cohort.phantom",
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
    "Slice",
    "TypeEvaluation",
    "audit",
    "compare",
    "crossval",
    "crossval_types",
    "evaluate",
    "evaluate_types",
    "measure_robustness",
    "read_slice",
    "split",
    "train",
    "tune",
    "write_phantom_cohort",
]


def __getattr__(name: str) -> object:
    # Loaded on first use, so that `import tumorscope` costs next to nothing.
    if name in _HOMES:
        return getattr(import_module(f"tumorscope.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'tumorscope' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
