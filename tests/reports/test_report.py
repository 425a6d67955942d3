from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tumorscope.common.errors import InputError, OutputError, UnreadableImageError
from tumorscope.model_file.decision import ABSTAINED
from tumorscope.reports.figures import FIGURES
from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.published import THE_PAPER, Published
from tumorscope.reports.report import write_report
from tumorscope.statistics import wilson
from tumorscope.statistics.answers import Answers
from tumorscope.statistics.metrics import Metrics


def inputs(n: int = 40, *, repeats: int | None = None, **more: Any) -> ReportInputs:
    rng = np.random.default_rng(0)
    labels = (np.arange(n) % 5 < 3).astype(np.int64)
    signal = labels if repeats is None else labels[:, None]
    shape = (n,) if repeats is None else (n, repeats)
    defaults = {
        "title": "Internal testing",
        "paths": [f"yes/Y{index}.jpg" for index in range(n)],
        "labels": labels,
        "scores": 1 / (1 + np.exp(-rng.normal(2.0 * signal - 1, 1.2, shape))),
        "groups": np.array([f"g{index // 2}" for index in range(n)]),
        "n_resamples": 40,
    }
    return ReportInputs(**{**defaults, **more})


def everything(**more: Any) -> ReportInputs:
    return inputs(
        sources=np.where(np.arange(40) < 15, "archive <A>", "archive B"),
        repeats=2,
        folds=np.arange(40) % 4,
        history=[
            {"epoch": 1, "phase": "frozen", "learning_rate": 1e-4, "loss": 0.6, "accuracy": 0.7},
            {"epoch": 2, "phase": "fine-tuning", "learning_rate": 1e-5, "loss": 0.5,
             "accuracy": 0.8},
        ],
        model_summary=[("dense", "Dense", "(None, 1)", 129)],
        pixels=lambda index: np.full((20, 30), 5 * index, np.uint8),
        recipe={"name": "paper", "data": {"fractions": [0.7, 0.15, 0.15]}},
        facts={"keras version": "3.12", "data SHA-256": "ab" * 32},
        cohort={"images": "253"},
        notes=["Grey values are divided by 255 & not scaled."],
        published=THE_PAPER,
        command="tumorscope crossval DATA",
        **more,
    )  # fmt: skip


def page(folder: Path) -> str:
    """Return the page with single spaces: where its lines break does not matter."""
    return re.sub(r"[ \n]+", " ", (folder / "report.html").read_text("utf-8"))


def titles(folder: Path) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", page(folder))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[Metrics, Path]:
    folder = tmp_path_factory.mktemp("full")
    return write_report(everything(), folder), folder


def test_a_full_report_has_every_figure_and_section(full: tuple[Metrics, Path]) -> None:
    _, folder = full
    assert {file.stem for file in (folder / "figures").iterdir()} == set(FIGURES) - {"per_class"}
    assert titles(folder) == [
        "What to doubt first", "Beside the published results", "Results", "Errors",
        "Every threshold", "By source", "Can the probabilities be believed?", "Fold by fold",
        "Training", "Some of the images", "Data and reference standard", "Sample size",
        "Robustness", "How the model is made", "Availability",
    ]  # fmt: skip


def test_the_page_is_self_contained_and_escaped(full: tuple[Metrics, Path]) -> None:
    _, folder = full
    html = page(folder)
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    assert "<script" not in html
    assert "archive &lt;A&gt;" in html
    assert "archive <A>" not in html
    assert "255 &amp; not scaled" in html
    assert "Research use only" in html


def test_the_twin_holds_the_same_figures(full: tuple[Metrics, Path]) -> None:
    metrics, folder = full
    twin = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert {name: twin[name] for name in metrics.to_json()} == metrics.to_json()
    assert twin["published"]["auc"] == 0.9909
    assert [row["prevalence"] for row in twin["predictive_values"]] == [0.005, 0.02, 0.05, 0.1]
    accuracy = metrics.metrics["accuracy"]
    assert f"{100 * accuracy.value:.1f}\N{NO-BREAK SPACE}%" in page(folder)


def test_facts_commands_and_remarks_are_shown(full: tuple[Metrics, Path]) -> None:
    html = page(full[1])
    for words in ("tumorscope crossval DATA", "3.12", "ab" * 32, "dividing", "218 of the 220"):
        assert words in html
    assert "29 of 32" in html
    assert sorted(set(re.findall(r"Figure (\d) of the paper", html))) == list("123456789")


def test_same_inputs_same_bytes(full: tuple[Metrics, Path], tmp_path: Path) -> None:
    write_report(everything(), tmp_path)
    for name in ("report.html", "metrics.json", "figures/roc.png", "figures/samples.png"):
        hashes = {
            hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for folder in (full[1], tmp_path)
        }
        assert len(hashes) == 1, name


def test_everything_optional_may_be_missing(tmp_path: Path) -> None:
    write_report(inputs(), tmp_path)
    assert "Training" not in titles(tmp_path)
    assert "By source" not in titles(tmp_path)
    assert "Beside the published results" not in titles(tmp_path)
    assert "cannot be reproduced" in page(tmp_path)
    assert "yes/Y" in page(tmp_path)
    assert "of the paper" not in page(tmp_path)


def test_a_leaky_split_says_so_in_title_and_box(tmp_path: Path) -> None:
    write_report(inputs(10, split="random", warning="Seen & known."), tmp_path)
    html = page(tmp_path)
    assert "<h1>Internal testing — random split, leaks</h1>" in html
    box = re.search(r'<p class="warning" role="alert">(.*?)</p>', html, re.S).group(1)
    assert "Seen &amp; known." in box
    assert "these results leak" in box
    assert json.loads((tmp_path / "metrics.json").read_text())["split"] == "random"


def test_a_grouped_split_has_no_box(tmp_path: Path) -> None:
    write_report(inputs(10), tmp_path)
    assert 'class="warning"' not in page(tmp_path)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_makes_a_report_without_curves(tmp_path: Path, label: int) -> None:
    only = inputs(6, labels=np.full(6, label), scores=np.linspace(0, 1, 6))
    metrics = write_report(only, tmp_path)
    assert metrics.metrics["auc"].value is None
    assert not (tmp_path / "figures" / "roc.png").exists()
    assert "need images of both classes" in page(tmp_path)
    json.loads((tmp_path / "metrics.json").read_text("utf-8"))


def test_one_image_makes_a_report(tmp_path: Path) -> None:
    metrics = write_report(inputs(1), tmp_path)
    assert metrics.n == 1


def test_errors_come_surest_first(tmp_path: Path) -> None:
    labels = np.array([1, 1, 0, 0, 1, 0])
    scores = np.array([0.40, 0.02, 0.97, 0.55, 0.9, 0.1])
    paths = ["yes/unsure.png", "yes/missed.png", "no/alarm.png", "no/near.png", "yes/a", "no/b"]
    write_report(inputs(6, labels=labels, scores=scores, paths=paths), tmp_path)
    section = page(tmp_path).split("<h2>Errors</h2>")[1].split("<section")[0]
    assert re.findall(r"<td>((?:yes|no)/\w+\.png)</td>", section) == [
        "yes/missed.png", "no/alarm.png", "yes/unsure.png", "no/near.png"
    ]  # fmt: skip
    assert "2 tumours missed, 2 false alarms" in section


def test_pictures_that_vanished_do_not_stop_the_report(tmp_path: Path) -> None:
    def gone(index: int) -> None:
        raise UnreadableImageError("The file is gone.")

    write_report(inputs(20, pixels=gone, scores=np.linspace(1, 0, 20)), tmp_path)
    html = page(tmp_path)
    assert "can no longer be read" in html
    assert "The file is gone." in html


def test_figures_of_an_earlier_report_do_not_stay(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "training_curves.png").write_bytes(b"old")
    (tmp_path / "figures" / "mine.png").write_bytes(b"other")
    write_report(inputs(10), tmp_path)
    assert not (tmp_path / "figures" / "training_curves.png").exists()
    assert (tmp_path / "figures" / "mine.png").exists()


def test_published_figures_are_placed_against_the_interval(tmp_path: Path) -> None:
    write_report(inputs(200, published=THE_PAPER), tmp_path)
    section = page(tmp_path).split("<h2>Beside the published results</h2>")[1].split("<section")[0]
    assert "90.62" in section
    assert "75.8 to 96.8" in section.replace("\N{NO-BREAK SPACE}", " ")
    assert "above our interval" in section


def test_the_paper_is_quoted_right() -> None:
    assert (THE_PAPER.accuracy, THE_PAPER.auc, THE_PAPER.log_loss) == (0.9062, 0.9909, 0.2775)
    assert round(29 / THE_PAPER.n, 4) == THE_PAPER.accuracy
    assert round(218 / 220, 4) == THE_PAPER.auc
    interval = wilson(29, THE_PAPER.n)
    assert f"{100 * interval.low:.1f} % to {100 * interval.high:.1f} %" in THE_PAPER.remarks[0]
    everything_said = " ".join(THE_PAPER.remarks)
    for words in ("0.93", "0.86", "0.87", "by 25", "150 + 73", "155 + 98"):
        assert words in everything_said


def test_paths_must_match(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 paths for 10 labels"):
        write_report(inputs(10, paths=["a", "b", "c"]), tmp_path)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    with pytest.raises(OutputError):
        write_report(inputs(10), tmp_path / "taken")


def test_the_cards_show_the_interval_that_the_doubts_believe(tmp_path: Path) -> None:
    # Ten groups of ten copies: a hundred images that are ten.
    labels = np.repeat(np.arange(10) % 2, 10)
    scores = np.repeat([0.1, 0.9, 0.2, 0.4, 0.6, 0.8, 0.3, 0.7, 0.1, 0.9], 10)
    alike = inputs(100, labels=labels, scores=scores, groups=np.repeat(np.arange(10), 10),
                   n_resamples=400)  # fmt: skip
    metrics = write_report(alike, tmp_path)
    grouped = metrics.by_group["accuracy"]
    shown = f"{100 * grouped.low:.1f} to {100 * grouped.high:.1f} %"
    text = page(tmp_path).replace("\N{NO-BREAK SPACE}", " ")
    cards, doubts = text.split('<div class="cards">')[1].split("What to doubt first", 1)
    assert shown in cards.split("</small></div>")[0]
    believed = next(each for each in doubts.split("<li>") if "believe this one" in each)
    assert shown.replace(" to ", " % to ") in believed
    assert f"{grouped.low:.3f} to {grouped.high:.3f}" in metrics.table()


def test_a_report_on_raw_scores_says_that_they_are_no_detectors(tmp_path: Path) -> None:
    write_report(inputs(10), tmp_path)
    assert "they measure the recipe" in page(tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text())["detector"] is None
    assert "As the paper measures: raw score at 0.5" not in titles(tmp_path)


def test_a_threshold_is_shown_with_three_digits(tmp_path: Path) -> None:
    metrics = write_report(inputs(20, threshold=0.385749), tmp_path)
    assert "0.386" in metrics.table()
    assert "0.3857" not in metrics.table() + page(tmp_path).split("To reproduce")[0]


def test_a_random_split_tells_its_copies_in_the_lead_and_in_the_twin(tmp_path: Path) -> None:
    copied = np.arange(10) < 3
    write_report(inputs(10, split="random", copied=copied), tmp_path)
    lead = page(tmp_path).split("What to doubt first")[0]
    assert "3 of the 10 testing images have a copy" in lead
    twin = json.loads((tmp_path / "metrics.json").read_text())
    assert (twin["copies"]["n"], twin["copies"]["of"]) == (3, 10)
    assert any("3 of the 10" in each for each in twin["doubts"])
    write_report(inputs(10, copied=copied), tmp_path)
    assert "copies" not in json.loads((tmp_path / "metrics.json").read_text())


def detector(**more: Any) -> ReportInputs:
    every = np.arange(40)
    labels = (every % 5 < 3).astype(np.int64)
    answers = Answers(
        model="m@1",
        operating_point="balanced",
        zone=(0.3, 0.6),
        raw=np.linspace(0, 1, 40),
        answers=np.where(every % 8 == 0, ABSTAINED, labels).astype(np.int8),
        refused=every % 10 == 0,
    )
    return inputs(answers=answers, threshold=0.437, external=True, **more)


def test_a_detector_is_named_with_what_it_withholds(tmp_path: Path) -> None:
    write_report(detector(recipe={"augmentation": {"variants": 10}}), tmp_path)
    html = page(tmp_path).replace("\N{NO-BREAK SPACE}", " ")
    assert "the detector m@1 at its operating point “balanced”" in html
    assert "Between 0.300 and 0.600 it gives no answer." in html
    assert "the detector answers 32; the model abstains on 4 (10.0 %, 4.0 to 23.1 %)" in html
    assert "Among the answered: accuracy" in html
    assert "Right / wrong calls" in html
    assert "These images come from elsewhere" in html
    assert "Training sees 10 changed versions" in html
    assert "As the paper measures: raw score at 0.5" in titles(tmp_path)
    twin = json.loads((tmp_path / "metrics.json").read_text("utf-8"))
    assert twin["detector"] == {
        "model": "m@1", "operating_point": "balanced", "abstains": [0.3, 0.6]
    }  # fmt: skip
    lines = (tmp_path / "metrics.csv").read_text("utf-8")
    assert "\nabstained,all,0.1," in lines
    assert "\naccuracy,answered," in lines
    assert "\naccuracy,raw," in lines


def test_an_error_without_an_answer_says_so(tmp_path: Path) -> None:
    scores = np.where(np.arange(40) % 5 < 3, 0.1, 0.9)  # all wrong
    write_report(detector(scores=scores), tmp_path)
    html = page(tmp_path)
    assert "model says 10\N{NO-BREAK SPACE}% tumour (refused)" in html
    assert "model says 90\N{NO-BREAK SPACE}% tumour (no answer)" in html
    assert "The 24 most confident are shown." in html


def test_a_claim_that_a_paper_lacks_and_one_that_cannot_be_compared(tmp_path: Path) -> None:
    claims = Published(name="Another", n=50, accuracy=0.5)
    write_report(inputs(6, labels=np.ones(6, int), published=claims), tmp_path)
    assert "not given" in page(tmp_path)
    write_report(inputs(published=Published(name="A third", n=50, accuracy=0.1)), tmp_path)
    assert "below our interval; the two intervals do not overlap" in page(tmp_path)
