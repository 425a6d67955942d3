"""Figures of searches, robustness and workflows: every panel, also where little is known."""

from __future__ import annotations

from matplotlib.text import Text

from tumorscope.reports.displays.robustness import RobustnessDisplay
from tumorscope.reports.displays.search import SearchDisplay
from tumorscope.reports.displays.workflow import WorkflowDisplay
from tumorscope.reports.drawing import Display, draw


def words(display: Display) -> str:
    draw(display, "")
    return "\n".join(text.get_text() for text in display.figure_.findobj(Text))


def test_a_search_shows_its_course_its_importances_and_each_parameter() -> None:
    found = words(
        SearchDisplay(
            losses=[0.5, 0.4, 0.6, 0.3],
            pruned=[False, False, True, False],
            parameters={
                "frozen.learning_rate": [1e-4, 1e-2, 1e-3, 1e-3],
                "network.head": ["flatten", "pooled", "pooled", "flatten"],
            },
            importances={"frozen.learning_rate": 0.7, "network.head": 0.3},
        )
    )
    for each in ("Course", "Importance", "frozen.learning_rate", "network.head", "pooled"):
        assert each in found


def test_a_short_search_has_no_importances() -> None:
    search = SearchDisplay([0.5, 0.4], [False, False], {"seed": [1, 2]}, {})
    assert "too few trials" in words(search)


def record(change: str, strength: object, auc: object) -> dict[str, object]:
    columns = {
        f"{name}{end}": auc
        for name in ("auc", "sensitivity", "specificity")
        for end in ("", "_low", "_high")
    }
    return {"perturbation": change, "strength": strength, "unit": "sd", "images": 9, **columns}


def test_robustness_has_a_panel_for_each_change() -> None:
    records = [record("none", 0, 0.9)]
    records += [record(f"change {number}", 1, 0.8) for number in range(6)]
    records += [record("change 0", 2, "")]  # one class only: no AUC
    found = words(RobustnessDisplay(records))
    assert "change 0 (n = 9)" in found
    assert "change 5 (n = 9)" in found
    assert "sensitivity" in found


def test_the_workflow_of_several_classes_names_their_folders_and_their_last_layer() -> None:
    recipe = {"task": "tumour-type", "network": {"head": "flatten", "backbone": "mobilenet_v2"}}
    found = words(WorkflowDisplay.from_recipe(recipe))
    assert "a folder for each class" in found
    assert "softmax" in found
    assert "yes/" not in found
