"""What `predict` says at the end."""

from __future__ import annotations

from pathlib import Path

from tumorscope.cli.predict_tally import Tally
from tumorscope.detection.find_images import Found
from tumorscope.detection.records import Result
from tumorscope.detection.study_results import StudyResult

A_FILE = Found(Path("a.png"), Path("a.png"))


def test_images_known_from_training_are_told_where_the_counts_are() -> None:
    tally = Tally()
    for seen in (True, False, None):
        values = {"decision": "tumour", "seen": seen, "path": "a.png"}
        tally.add_picture(Result(A_FILE, values, resumed=False))
    counts, known = tally.words_of_pictures("m")
    assert counts == "3 images: 3 tumour. Model m."
    assert "Known from training: 1." in known
    tally.add_series(StudyResult(rows=({"seen": None},), decision="tumour"))
    assert len(list(tally.words_of_series("m"))) == 1
    tally.add_series(StudyResult(rows=({"seen": False}, {"seen": True}), decision="tumour"))
    assert "Known from training: 1." in list(tally.words_of_series("m"))[-1]
