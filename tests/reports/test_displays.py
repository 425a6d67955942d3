from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics as sk

from tumorscope.common.errors import InputError, UsageError
from tumorscope.reports.displays import (
    ClassificationReportDisplay,
    ConfusionMatrixDisplay,
    Display,
    FoldDisplay,
    ModelSummaryDisplay,
    PrecisionRecallDisplay,
    ReliabilityDisplay,
    RocCurveDisplay,
    SampleGridDisplay,
    ScoreDistributionDisplay,
    TrainingCurvesDisplay,
    WorkflowDisplay,
)
from tumorscope.reports.drawing import figure_png
from tumorscope.statistics import delong

PAPER_LAYERS = [
    ("mobilenetv2_1.00_224", "Functional", "(None, 7, 7, 1280)", 2_257_984),
    ("flatten", "Flatten", "(None, 62720)", 0),
    ("dense", "Dense", "(None, 128)", 8_028_288),
    ("batch_normalization", "BatchNormalization", "(None, 128)", 512),
    ("dropout", "Dropout", "(None, 128)", 0),
    ("dense_1", "Dense", "(None, 1)", 129),
]


def scored(
    n: int = 40, repeats: int | None = None, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 5 < 3).astype(np.int64)
    shape = (n,) if repeats is None else (n, repeats)
    signal = labels if repeats is None else labels[:, None]
    return labels, 1 / (1 + np.exp(-rng.normal(2.0 * signal - 1, 1.2, shape)))


def epochs(frozen: int, tuned: int, **columns: Any) -> list[dict[str, Any]]:
    rates = [1e-4] * frozen + [1e-5] * tuned
    return [
        {
            "epoch": index + 1,
            "phase": "frozen" if index < frozen else "fine-tuning",
            "learning_rate": rates[index] / (2 if index + 1 in (frozen, frozen + tuned) else 1),
            "loss": 1 / (index + 1),
            "tuning_loss": 0.3 + 1 / (index + 1),
            "accuracy": 0.9,
            "tuning_accuracy": 0.8,
            **columns,
        }
        for index in range(frozen + tuned)
    ]


def picture(index: int) -> NDArray[np.uint8]:
    return np.full((30 + index % 3, 50), 40 + index, np.uint8)


MODEL_ONLY = (TrainingCurvesDisplay, WorkflowDisplay, ModelSummaryDisplay)


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def all_displays(labels: ArrayLike, scores: ArrayLike) -> list[Display]:
    n = len(labels)
    names = [f"脳_$a_{'x' * 200}{index}.jpg" for index in range(n)]
    made = [
        ConfusionMatrixDisplay.from_predictions(labels, scores),
        ClassificationReportDisplay.from_predictions(labels, scores),
        ScoreDistributionDisplay.from_predictions(labels, scores),
        ReliabilityDisplay.from_predictions(labels, scores),
        FoldDisplay.from_predictions(labels, scores, folds=np.arange(n) % 5),
        SampleGridDisplay.from_predictions(labels, scores, pixels=picture, paths=names),
        TrainingCurvesDisplay.from_history(epochs(3, 2)),
        WorkflowDisplay.from_recipe(),
        ModelSummaryDisplay.from_layers(PAPER_LAYERS * 10),
    ]
    if 0 < labels.sum() < n:
        made += [
            RocCurveDisplay.from_predictions(labels, scores, groups=np.arange(n)),
            PrecisionRecallDisplay.from_predictions(labels, scores),
        ]
    return made


@pytest.mark.parametrize(
    "example",
    [
        scored(40, repeats=3),
        scored(4),
        (np.ones(6, np.int64), np.linspace(0, 1, 6)),
        (np.zeros(1, np.int64), np.array([0.9])),
        (np.arange(40) % 2, np.full(40, 0.5)),
        (np.arange(40) % 2, (np.arange(40) % 2).astype(float)),
    ],
    ids=["repeats", "n4", "one class", "one image", "equal scores", "perfect"],
)
def test_every_figure_draws_without_warning(example: tuple[Any, Any]) -> None:
    labels, scores = example
    for display in all_displays(labels, scores):
        if isinstance(display, MODEL_ONLY) and len(labels) > 1:
            continue  # The same whatever the scores: drawn once.
        assert display.plot() is display
        if scores.ndim > 1:
            assert figure_png(display.figure_)[:4] == b"\x89PNG"
        else:
            display.figure_.draw_without_rendering()


def test_every_figure_draws_into_given_axes_and_leaves_pyplot_alone() -> None:
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    style = dict(mpl.rcParams)
    for display in all_displays(*scored(12)):
        figure = Figure(layout="constrained")
        ax = figure.add_subplot()
        display.plot(ax)
        assert display.figure_ is figure
        assert figure.findobj(Text)
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == style


def test_panels_refuse_axes_without_a_place() -> None:
    ax = Figure().add_axes((0, 0, 1, 1))
    with pytest.raises(UsageError, match="add_subplot"):
        TrainingCurvesDisplay.from_history(epochs(1, 0)).plot(ax)


def test_confusion_counts_stand_in_the_figure() -> None:
    display = ConfusionMatrixDisplay.from_predictions([0, 0, 0, 1, 1], [0.1, 0.6, 0.2, 0.5, 0.4])
    assert display.counts.tolist() == [[2, 1], [1, 1]]
    text = words(display.plot().figure_)
    assert "33 % false alarm" in text
    assert "50 % missed" in text


def test_confusion_of_repeats_is_their_mean() -> None:
    scores = np.array([[0.9, 0.9], [0.9, 0.1]])
    display = ConfusionMatrixDisplay.from_predictions([1, 1], scores)
    assert display.counts.tolist() == [[0, 0], [0.5, 1.5]]
    assert "mean of 2 repeats" in words(display.plot().figure_)


def test_classification_report_agrees_with_scikit_learn() -> None:
    labels, scores = scored(50)
    display = ClassificationReportDisplay.from_predictions(labels, scores)
    expected = sk.classification_report(labels, scores >= 0.5, output_dict=True)
    names = {"no tumour": "0", "tumour": "1", "mean of classes": "macro avg",
             "mean by images": "weighted avg"}  # fmt: skip
    for ours, theirs in names.items():
        figures = [expected[theirs][key] for key in ("precision", "recall", "f1-score")]
        assert display.rows[ours].tolist() == pytest.approx(figures), ours
        assert display.images[ours] == expected[theirs]["support"]
    assert display.accuracy == pytest.approx(expected["accuracy"])


def test_roc_carries_delong_and_marks_the_operating_point() -> None:
    labels, scores = scored(60)
    display = RocCurveDisplay.from_predictions(labels, scores, groups=np.arange(60) // 2)
    assert display.auc == delong(labels, scores)
    called = scores >= 0.5
    expected = (called[labels == 0].mean(), called[labels == 1].mean())
    assert display.operating_point == pytest.approx(expected)
    fpr, tpr = display.curves[0]
    assert np.trapezoid(tpr, fpr) == pytest.approx(display.auc.value)
    assert display.band is not None
    low, high = display.band
    assert (low <= high).all()
    assert (low <= display.mean_curve + 1e-9).mean() > 0.95
    assert f"AUC {display.auc.value:.3f}" in words(display.plot().figure_)


def test_roc_and_precision_recall_refuse_one_class() -> None:
    for display in (RocCurveDisplay, PrecisionRecallDisplay):
        with pytest.raises(InputError, match="both classes"):
            display.from_predictions([1, 1], [0.2, 0.3])


def test_precision_recall_knows_the_prevalence() -> None:
    labels, scores = scored(50)
    display = PrecisionRecallDisplay.from_predictions(labels, scores)
    assert display.prevalence == 0.6
    assert display.average_precision == pytest.approx(sk.average_precision_score(labels, scores))
    assert "prevalence 60 %" in words(display.plot().figure_)


def test_distribution_counts_every_image_once() -> None:
    labels, scores = scored(40, repeats=3)
    display = ScoreDistributionDisplay.from_predictions(labels, scores)
    assert display.tumour.sum() == pytest.approx(24)
    assert display.no_tumour.sum() == pytest.approx(16)


def test_curves_mark_phase_and_learning_rate() -> None:
    display = TrainingCurvesDisplay.from_history(epochs(20, 10))
    assert display.changes == [(20.5, "fine-tuning")]
    # The lower rate of the new phase is no reduction; the last epochs of both phases are.
    assert display.reductions.tolist() == [20, 30]
    assert len(display.plot().axes_) == 2
    assert "fine-tuning" in words(display.figure_)
    assert "learning rate reduced" in words(display.figure_)


def test_a_learning_rate_that_always_falls_is_not_marked() -> None:
    history = [row | {"learning_rate": 0.1 / (n + 1)} for n, row in enumerate(epochs(4, 0))]
    display = TrainingCurvesDisplay.from_history(history).plot()
    assert len(display.reductions) == 3
    assert "learning rate reduced" not in words(display.figure_)


def test_phase_name_and_title_do_not_overlap() -> None:
    display = TrainingCurvesDisplay.from_history(epochs(1, 11)).plot()
    figure_png(display.figure_)
    for axes in display.axes_:
        titles = [text for text in (axes.title, vars(axes)["_left_title"]) if text.get_text()]
        phase = next(text for text in axes.texts if "fine-tuning" in text.get_text())
        assert not titles[0].get_window_extent().overlaps(phase.get_window_extent())


def test_curves_live_with_400_epochs_and_missing_columns() -> None:
    long = TrainingCurvesDisplay.from_history(epochs(300, 100))
    assert len(long.plot().epochs) == 400
    history = epochs(3, 0, tuning_loss="", tuning_accuracy="nan")
    for row in history:
        del row["accuracy"]
    bare = TrainingCurvesDisplay.from_history(history)
    assert np.isnan(bare.series["accuracy"]).all()
    figure_png(bare.plot().figure_)


def test_an_empty_history_is_refused() -> None:
    with pytest.raises(InputError, match="without epochs"):
        TrainingCurvesDisplay.from_history([])


def test_samples_are_a_seeded_lot_and_wrong_ones_say_so() -> None:
    labels = np.array([1, 0, 1, 0])
    scores = np.array([0.9, 0.8, 0.1, 0.2])
    paths = ["yes/a.png", "no/b.png", "yes/c.png", "no/d.png"]
    display = SampleGridDisplay.from_predictions(labels, scores, pixels=picture, paths=paths)
    assert display.names == ["a.png", "b.png", "d.png", "c.png"]
    text = words(display.plot().figure_)
    assert text.count("WRONG") == 2
    assert "WRONG, is no tumour" in text
    few = [
        SampleGridDisplay.from_predictions(
            labels, scores, pixels=picture, paths=paths, most=2, seed=1
        ).names
        for _ in range(2)
    ]
    assert few[0] == few[1]
    assert len(few[0]) == 2


def test_summary_adds_up_and_long_ones_are_cut() -> None:
    display = ModelSummaryDisplay.from_layers(PAPER_LAYERS)
    assert display.parameters == 10_286_913
    assert "10,286,913" in words(display.plot().figure_)
    assert "8,028,288" in words(display.figure_)
    long = ModelSummaryDisplay.from_layers(PAPER_LAYERS * 10).plot()
    assert "36 more layers" in words(long.figure_)


def test_workflow_tells_the_recipe_and_warns_of_a_random_split() -> None:
    recipe = {
        "data": {"fractions": [0.7, 0.15, 0.15]},
        "network": {"backbone": "mobilenet_v2", "head": "flatten"},
        "frozen": {"epochs": 20},
        "fine_tuning": {"epochs": 10},
    }
    text = words(WorkflowDisplay.from_recipe(recipe).plot().figure_)
    for part in ("Grouped split", "70 / 15 / 15 %", "MobileNetV2", "Flatten", "20 epochs frozen"):
        assert part in text
    leaky = WorkflowDisplay.from_recipe(recipe, split="random")
    assert "leaks" in words(leaky.plot().figure_)
    assert leaky.warned == {2}


def test_workflow_tells_what_was_done() -> None:
    recipe = {
        "data": {"fractions": [0.6, 0.15, 0.25]},
        "frozen": {"epochs": 0},
        "fine_tuning": {"epochs": 16},
        "finishing": {"epochs": 2},
    }
    used = {"training": 42, "tuning": 8, "testing": 10, "without split": 3}
    text = words(WorkflowDisplay.from_recipe(recipe, images=used).plot().figure_)
    assert "42 training images,\n8 tuning, 10 testing" in text
    assert "16 epochs fine-tuning,\n2 finishing" in text
    assert "%" not in text
    crossed = WorkflowDisplay.from_recipe(recipe, folds="5 folds × 3 repeats")
    assert "5 folds × 3 repeats" in words(crossed.plot().figure_)
    assert "Grouped folds" in words(crossed.figure_)
    assert "60 / 15 / 25" not in words(crossed.figure_)


def test_folds_are_measured_each_on_its_own() -> None:
    labels = np.array([0, 1, 0, 1, 1, 1])
    scores = np.array([0.1, 0.9, 0.7, 0.6, 0.8, 0.2])
    display = FoldDisplay.from_predictions(labels, scores, folds=[0, 0, 1, 1, 2, 2])
    assert display.accuracy.ravel().tolist() == [1.0, 0.5, 0.5]
    assert display.auc.ravel()[:2].tolist() == [1.0, 0.0]
    assert np.isnan(display.auc[2, 0])


def test_folds_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match="folds of shape"):
        FoldDisplay.from_predictions([0, 1], [0.1, 0.2], folds=[0, 1, 2])
