"""The section of the model card on series: alarm rates by source, and volumes with tumours."""

from __future__ import annotations

from tumorscope.model_file.schema import Estimate
from tumorscope.model_file.series_rule import SeriesRule

Records = list[dict[str, str]]

SOURCES = (
    *("plane", "source", "left out", "series", "called tumour", "by other sources"),
    *("not answered", "highest score"),
)


def series_section(rule: SeriesRule | None, records: Records) -> str:
    """Return the section in Markdown; nothing where the model holds no rule."""
    if rule is None or not records:
        return ""
    free = [each for each in records if each["what"] == "tumour-free"]
    tumours = [each for each in records if each["what"] != "tumour-free"]
    return "\n\n".join(
        [
            "## Series",
            "Slices of a volume decide together ([how]"
            "(docs/how-to/detect-on-dicom-and-nifti.md#how-a-series-is-decided)). The levels of "
            "each plane were chosen on volumes without a tumour. *Left out*: whether the model "
            "that scored them, a training of the same recipe, had not seen that source; on the "
            "others, whose slices the model was trained on, false alarms are rarer than elsewhere; "
            "their input check was learnt without slices of their volumes. "
            "Kernel, limit and depth of the rule were chosen on these same volumes.",
            _levels(rule),
            "By source. *By other sources*: how many would be called tumour by levels that were "
            "chosen on the other sources alone, which is what a new scanner sees.",
            _table(
                SOURCES,
                [
                    (
                        each["plane"],
                        f"{each['source']} {each['sequence']}",
                        each["left_out"],
                        each["series"],
                        f"{each['called_tumour']} ({each['rate_low']}–{each['rate_high']})",
                        each["called_by_others"] or "–",
                        each["not_answered"],
                        each["score"],
                    )
                    for each in free
                ],
            ),
            "Volumes with a tumour, one by one, as they are few; they say little of sensitivity.",
            _table(
                ("volume", "plane", "left out", "score", "answer"),
                [
                    (each["what"], each["plane"], each["left_out"], each["score"], _answer(each))
                    for each in tumours
                ],
            ),
        ]
    )


def _levels(rule: SeriesRule) -> str:
    rows: list[tuple[str, ...]] = [
        (
            plane,
            f"{level.series} of {level.subjects} people",
            f"{level.no_tumour:.2f}",
            f"{level.tumour:.2f}",
            _shown(level.alarms),
            _shown(level.abstained),
        )
        for plane, level in rule.levels.items()
    ]
    header = ("plane", "chosen on", "no tumour below", "tumour from", "called tumour", "no answer")
    return (
        _table(header, rows)
        + "\n\nThe last two columns: shares of the tumour-free series, each by levels that were "
        "chosen without its subject, with 95 % interval (Wilson)."
    )


def _shown(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    return f"{estimate.value:.3f} ({estimate.low:.3f}–{estimate.high:.3f})"


def _answer(record: dict[str, str]) -> str:
    if record["called_tumour"] == "1":
        return "tumour"
    return "no answer" if record["not_answered"] == "1" else "no tumour"


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
