"""Displays of several systems: sorted, drawn, and refused where the figures do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from tumorscope.common.errors import InputError
from tumorscope.reports.displays import ComparisonDisplay, CostDisplay

COST = {"parameters": [3e6, 1e6], "gmac": [5.0, 0.2], "latency_ms": [30.0, 2.0]}
QUALITY = {"cost": [5.0, 0.2, 0.2], "values": [0.9, 0.8, None], "low": [0.8, 0.7, None],
           "high": [0.95, 0.9, None]}  # fmt: skip


def test_costs_are_sorted_by_arithmetic_and_drawn() -> None:
    display = CostDisplay.from_rows(["big", "small"], **COST).plot()
    assert display.names == ["small", "big"]
    np.testing.assert_array_equal(display.latency_ms, [2.0, 30.0])
    assert [axes.get_title(loc="left") or axes.get_title() for axes in display.figure_.axes]
    assert len(display.figure_.axes) == 3
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["small", "big"]


def test_systems_of_one_cost_are_drawn_beside_each_other() -> None:
    display = ComparisonDisplay.from_rows(["a", "b", "c"], **QUALITY, quality="AUC").plot()
    assert display.names == ["b", "c", "a"]
    assert np.isnan(display.values[1])
    places = [line.get_xdata()[0] for line in display.ax_.lines]
    assert len(set(places)) == 3
    assert display.ax_.get_ylabel() == "AUC"


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="at least one system"):
        CostDisplay.from_rows([], parameters=[], gmac=[], latency_ms=[])
    with pytest.raises(InputError, match="one value of each kind"):
        ComparisonDisplay.from_rows(["a"], **QUALITY, quality="AUC")
