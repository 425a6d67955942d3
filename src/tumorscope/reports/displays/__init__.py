"""The figures: each holds its numbers, and `.plot(ax)` draws them."""

from tumorscope.reports.displays.classification_report import ClassificationReportDisplay
from tumorscope.reports.displays.comparison import ComparisonDisplay, CostDisplay
from tumorscope.reports.displays.confusion import ConfusionMatrixDisplay
from tumorscope.reports.displays.distribution import ScoreDistributionDisplay
from tumorscope.reports.displays.folds import FoldDisplay
from tumorscope.reports.displays.model_summary import ModelSummaryDisplay
from tumorscope.reports.displays.precision_recall import PrecisionRecallDisplay
from tumorscope.reports.displays.reliability import ReliabilityDisplay
from tumorscope.reports.displays.roc import RocCurveDisplay
from tumorscope.reports.displays.samples import SampleGridDisplay
from tumorscope.reports.displays.training_curves import TrainingCurvesDisplay
from tumorscope.reports.displays.workflow import WorkflowDisplay
from tumorscope.reports.drawing import Display

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
