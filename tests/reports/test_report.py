"""What a report says of whatever it is given; its figures are drawn by test_drawn_report.py."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fixtures.report_inputs import inputs, page, titles

from tumorscope.common.errors import InputError, OutputError, UnreadableImageError
from tumorscope.model_file.decision import ABSTAINED
from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.published import THE_PAPER, Published
from tumorscope.reports.report import write_report
from tumorscope.statistics import wilson
from tumorscope.statistics.answers import Answers
from tumorscope.statistics.pointing_game import Localisation, Pointing

pytestmark = pytest.mark.usefixtures("undrawn")


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


def test_where_the_evidence_lies_is_told_beside_chance(tmp_path: Path) -> None:
    high, low = (Localisation(8, hits=wilson(k, 8), mass=wilson(k - 1, 8)) for k in (7, 2))
    write_report(detector(pointing=Pointing(evidence=high, chance=low, seen=3)), tmp_path)
    assert "Where the evidence lies" in titles(tmp_path)
    assert "On 8 images with outlined lesions (3 of them known from training)" in page(tmp_path)
    assert "87.5" in page(tmp_path)
    pointing = json.loads((tmp_path / "metrics.json").read_text("utf-8"))["pointing"]
    assert (pointing["n"], pointing["seen"]) == (8, 3)
    assert pointing["evidence"]["hits"]["value"] == 0.875
    assert pointing["chance"]["mass"]["value"] == 0.125
    write_report(detector(), tmp_path)
    assert "Where the evidence lies" not in titles(tmp_path)
    assert "pointing" not in json.loads((tmp_path / "metrics.json").read_text("utf-8"))
