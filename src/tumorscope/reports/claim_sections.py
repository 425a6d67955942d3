"""The sections that papers leave out (CLAIM 2024): data, sample size, robustness, availability."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np

from tumorscope.reports import displays, table_html
from tumorscope.reports.context import Material
from tumorscope.reports.html import fact_table, paragraph
from tumorscope.reports.text import recipe_text, shown
from tumorscope.statistics import Interval
from tumorscope.statistics.metrics import NAMES


def data(material: Material) -> str:
    """Return what is known of the cohort and of its labels."""
    how = {
        "grouped": "Near-duplicates and images of one patient, as far as known, were kept on one "
        "side of the split.",
        "random": "The split ignored near-duplicates and patients, so training images resemble "
        "testing images more than new patients would.",
    }[material.metrics.split]
    if material.metrics.external:
        how = (
            "These images come from elsewhere: no split parted them from those that the model was "
            "made from. They were compared with the training and tuning images that it knows, and "
            "copies are refused, or named above."
        )
    reference = (
        "The reference standard is the class folder or the label column that came with the images. "
        "This program does not know who read them, how, or whether pathology agreed; labels that "
        "are wrong count as errors of the model, or hide them."
    )
    table = fact_table(material.inputs.cohort) if material.inputs.cohort else ""
    return table + paragraph(reference) + paragraph(how)


def sample_size(material: Material) -> str:
    """Return what the number of images permits to say."""
    metrics = material.metrics
    accuracy = metrics.cautious("accuracy")
    if not isinstance(accuracy, Interval):
        return ""
    p = min(max(accuracy.value, 0.05), 0.95)
    needed = int(np.ceil(p * (1 - p) * (1.96 / 0.03) ** 2))
    words = (
        f"If the same test were repeated on {metrics.n} other images of the same kind, intervals "
        "made this way would hold the true accuracy 95 times in 100. Here the interval reaches "
        f"{100 * (accuracy.value - accuracy.low):.1f} points below and "
        f"{100 * (accuracy.high - accuracy.value):.1f} above. To know the accuracy to within 3 "
        f"points takes about {needed} independent images; here are {metrics.n}, in "
        f"{metrics.n_groups} groups. The intervals do not cover what was not sampled: other "
        "hospitals, other scanners, another training run with another seed."
    )
    grouped = [
        (NAMES[name], shown(name, metrics.metrics[name]), shown(name, found))
        for name, found in metrics.by_group.items()
    ]
    header = ("", "Images as the unit", "Groups as the unit (resampled)")
    return paragraph(words) + table_html(header, grouped) + paragraph(
        "Where the right-hand interval is wider, near-duplicates make the left one too narrow. "
        "Near 0 and 1 and with few images resampling is too narrow itself: trust the wider of "
        "the two."
    )  # fmt: skip


def robustness(material: Material) -> str:
    """Return what was not measured."""
    sources = material.metrics.per_source
    several = (
        f"Figures by source are given above for {len(sources)} sources. "
        if sources
        else "One source, or none recorded: nothing is known of other hospitals or scanners. "
    )
    return paragraph(
        several + "Not measured here: changes of contrast, noise, resolution, rotation or "
        "cropping; sequences and planes apart; skull-stripped images; agreement between training "
        "runs with different seeds; effect on readers or patients. No statement on these follows "
        "from this report."
    )


def making(material: Material) -> str:
    """Return the workflow, the layers and the recipe."""
    inputs = material.inputs
    html = material.figure(
        "workflow",
        displays.WorkflowDisplay.from_recipe(
            inputs.recipe,
            split=inputs.made_by or inputs.split,
            images=inputs.parted,
            folds=inputs.protocol,
        ),
        "From the folder of scans to this report; follow the arrows.",
        paper=1,
    )
    if inputs.model_summary:
        html += material.figure(
            "model_summary",
            displays.ModelSummaryDisplay.from_layers(inputs.model_summary),
            "The layers of the network, what comes out of each (None stands for the number of "
            "images), and how many numbers it learns.",
            paper=2,
        )
    variants = _variants(inputs.recipe)
    if variants:
        html += paragraph(
            f"Training sees {variants} changed versions of each image, made once and used in turn."
        )
    if inputs.recipe:
        text = escape(recipe_text(inputs.recipe))
        html += f"<details><summary>The recipe</summary><pre>{text}</pre></details>"
    return html


def _variants(recipe: Mapping[str, object]) -> int:
    augmentation = recipe.get("augmentation")
    found = augmentation.get("variants") if isinstance(augmentation, Mapping) else None
    return found if isinstance(found, int) else 0


def availability(material: Material) -> str:
    """Return how to reproduce the figures."""
    inputs = material.inputs
    html = ""
    if inputs.command:
        html += f"<p>To reproduce:</p><pre>{escape(inputs.command)}</pre>"
    if inputs.facts:
        html += fact_table(inputs.facts)
    if not html:
        html = paragraph(
            "Neither command nor versions were recorded: these figures cannot be reproduced."
        )
    return html
