"""What libraries have to say of what is received stays unsaid."""

from __future__ import annotations

import logging
import threading
import warnings

import pytest
from pydicom import Dataset

from tumorscope.serving.discreet import discreet


def test_warnings_logs_and_tracebacks_are_not_shown(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> None:
        raise ValueError("Nobody^Here")

    said: list[str] = []
    with discreet(said.append):
        Dataset().StudyInstanceUID = "Nobody^Here"
        warnings.warn("Nobody^Here", UserWarning, stacklevel=1)
        logging.getLogger("pynetdicom.acse").error("Nobody^Here")
        thread = threading.Thread(target=fails)
        thread.start()
        thread.join()
    assert said == ["An error of the kind ValueError ended a thread."]
    shown = capfd.readouterr()
    assert "Nobody" not in shown.out + shown.err + caplog.text
    with pytest.warns(UserWarning, match="Invalid value"):
        Dataset().StudyInstanceUID = "Nobody^Here"
