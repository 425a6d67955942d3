"""The figures: each holds its numbers, and `.plot(ax)` draws them."""

from tumorscope.evaluation.displays._canvas import Display
from tumorscope.evaluation.displays.classification_report import ClassificationReportDisplay
from tumorscope.evaluation.displays.comparison import ComparisonDisplay, CostDisplay
from tumorscope.evaluation.displays.confusion import ConfusionMatrixDisplay
from tumorscope.evaluation.displays.distribution import ScoreDistributionDisplay
from tumorscope.evaluation.displays.folds import FoldDisplay
from tumorscope.evaluation.displays.model_summary import ModelSummaryDisplay
from tumorscope.evaluation.displays.precision_recall import PrecisionRecallDisplay
from tumorscope.evaluation.displays.reliability import ReliabilityDisplay
from tumorscope.evaluation.displays.roc import RocCurveDisplay
from tumorscope.evaluation.displays.samples import SampleGridDisplay
from tumorscope.evaluation.displays.training_curves import TrainingCurvesDisplay
from tumorscope.evaluation.displays.workflow import WorkflowDisplay

__all__ = [
    "ClassificationReportDisplay",
    "ComparisonDisplay",
    "ConfusionMatrixDisplay",
    "CostDisplay",
    "Display",
    "FoldDisplay",
    "ModelSummaryDisplay",
    "PrecisionRecallDisplay",
    "ReliabilityDisplay",
    "RocCurveDisplay",
    "SampleGridDisplay",
    "ScoreDistributionDisplay",
    "TrainingCurvesDisplay",
    "WorkflowDisplay",
]
