"""Former names of what an audit says, for a version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.fixtures.audits import audit

from tumorscope.auditing import sentences
from tumorscope.synthetic.phantom import write_phantom_cohort


def test_former_names_of_sentences_warn_and_say_the_same(tmp_path: Path) -> None:
    write_phantom_cohort(tmp_path, n=4, seed=1)
    found = audit(tmp_path, probes=False, group_from=r"slice0000(\d)")
    found = replace(found, not_compared=("gone.png",))
    with pytest.warns(DeprecationWarning, match="on_audit"):
        assert found.words() == sentences.on_audit(found) != []
    with pytest.warns(DeprecationWarning, match="on_groups"):
        assert found.words_on_groups() == sentences.on_groups(found) != []
    with pytest.warns(DeprecationWarning, match="on_blind"):
        assert found.blind_words() == sentences.on_blind(found) != []
