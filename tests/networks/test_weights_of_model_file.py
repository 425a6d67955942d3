"""The backbone of a model file as starting weights, and what it refuses to measure on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image
from tests.fixtures.audits import audit

from tumorscope.assessment import thumbprints
from tumorscope.assessment.evaluate import evaluate
from tumorscope.assessment.seen import refuse_seen
from tumorscope.assessment.thumbprints import seen_before
from tumorscope.common.errors import HonestyError, InputError
from tumorscope.conversion import int8
from tumorscope.conversion.storage import store_float16, store_int8
from tumorscope.duplicates.thumbprint import thumbprint
from tumorscope.experiments.crossval import crossval
from tumorscope.imaging import read_slice
from tumorscope.model_file.onnx_file import ModelFile, write_model
from tumorscope.model_file.schema import (
    Metadata,
    OperatingPoint,
    PreprocessingSpec,
    TrainingThumbprints,
)
from tumorscope.networks import weights
from tumorscope.networks import weights_of_model_file as packaged_weights
from tumorscope.networks.body import backbone_of
from tumorscope.networks.model_graph import model_graph
from tumorscope.networks.network import build
from tumorscope.networks.scaling import network_input
from tumorscope.networks.weights_of_model_file import load_backbone
from tumorscope.recipes.origin import Weights
from tumorscope.recipes.recipe import Recipe
from tumorscope.training.export import export_run
from tumorscope.training.train import train

pytestmark = pytest.mark.usefixtures("eager", "few_resamples", "unplotted")


@pytest.fixture
def recipe(quick: Recipe) -> Recipe:
    return quick.model_copy(update={"network": quick.network.model_copy(update={"head": "pooled"})})


def packaged(
    folder: Path, recipe: Recipe, graph: onnx.ModelProto, seen: TrainingThumbprints
) -> ModelFile:
    metadata = Metadata(
        name="packaged",
        created="2026-01-01T00:00:00Z",
        graph_sha256="0" * 64,
        preprocessing=PreprocessingSpec.model_validate(recipe.input.preprocessing.to_dict()),
        grid=(1, 1),
        operating_points={"balanced": OperatingPoint(threshold=0.5, policy="made up")},
        data={"sha256": "0" * 64},
        versions={},
        recipe=recipe.model_dump(mode="json"),
        seen=seen,
    )
    return write_model(folder / "default.onnx", graph.SerializeToString(), metadata)


def packaged_later(recipe: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "later").mkdir()
    other = TrainingThumbprints.pack(np.full((1, 104), 7, np.uint8))
    file = packaged(folder / "later", recipe, model_graph(build(recipe), recipe), other)
    for module in (packaged_weights, thumbprints, weights):
        monkeypatch.setattr(module, "PACKAGED", file.path)


def compute_in_integers(graph: onnx.ModelProto) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (4, 32, 32), dtype=np.uint8)
    graph.CopyFrom(onnx.load_from_string(int8.quantise(graph.SerializeToString(), pixels)))


@pytest.mark.parametrize(
    ("store", "tolerance"),
    [(None, 1e-4), (store_float16, 1e-2), (store_int8, 1e-1), (compute_in_integers, 1e-1)],
)
@pytest.mark.parametrize("head", ["pooled", "dense"])
def test_the_backbone_computes_what_the_model_file_did(
    recipe: Recipe, tmp_path: Path, head: str, store: Any, tolerance: float
) -> None:
    recipe = recipe.changed({"network.head": head})
    model = build(recipe)
    backbone = backbone_of(model)
    generator = np.random.default_rng(0)
    # A trained network's normalisation is not the identity.
    for layer in backbone.layers:
        if hasattr(layer, "moving_mean"):
            size = layer.gamma.shape
            layer.gamma.assign(generator.uniform(0.5, 1.5, size))
            layer.beta.assign(generator.normal(0, 0.2, size))
            layer.moving_mean.assign(generator.normal(0, 0.2, size))
            layer.moving_variance.assign(generator.uniform(0.5, 1.5, size))
    graph = model_graph(model, recipe)
    if callable(store):
        store(graph, **({"smallest": 256} if store is store_int8 else {}))
    file = packaged(tmp_path, recipe, graph, TrainingThumbprints())
    fresh = backbone_of(build(recipe))
    said = load_backbone(fresh, name="small_cnn", model=file.path)
    assert (said.kind, said.name, said.digest) == (
        "mri",
        file.metadata.id,
        file.metadata.graph_sha256,
    )
    grey = generator.integers(0, 256, (3, 32, 32), dtype=np.uint8)
    images = network_input(grey, recipe.input.scaling)
    expected = np.asarray(backbone.predict_on_batch(images))
    np.testing.assert_allclose(
        np.asarray(fresh.predict_on_batch(images)),
        expected,
        atol=tolerance * float(np.abs(expected).max()),
    )
    assert float(np.abs(expected).max()) > 0.0


def test_another_backbone_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    file = packaged(tmp_path, recipe, model_graph(build(recipe), recipe), TrainingThumbprints())
    with pytest.raises(InputError, match="of the backbone small_cnn"):
        load_backbone(backbone_of(build(recipe)), name="mobilenet_v2", model=file.path)


def test_images_that_the_weights_have_seen_are_trained_on_but_not_measured(
    recipe: Recipe, tiny_cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tiny_cohort / "yes" / "yes0.png"
    prints = np.stack([thumbprint(read_slice(first))])
    # Turned and saved anew, it is still known.
    with Image.open(first) as image:
        turned = image.rotate(90)
    turned.save(first)
    graph = model_graph(build(recipe), recipe)
    file = packaged(tmp_path, recipe, graph, TrainingThumbprints.pack(prints))
    for module in (packaged_weights, thumbprints, weights):
        monkeypatch.setattr(module, "PACKAGED", file.path)
    manifest = audit(tiny_cohort, probes=False).manifest
    seen = seen_before(manifest, TrainingThumbprints.pack(prints))
    assert seen is not None
    assert [row.path for row, one in zip(manifest.rows, seen, strict=True) if one] == [
        next(row.path for row in manifest.rows if row.path.endswith("yes0.png"))
    ]
    options = {"recipe": recipe, "weights": "mri"}
    with pytest.raises(HonestyError, match="1 of 12 images"):
        crossval(manifest, folds=2, repeats=1, output=tmp_path / "cv", **options)
    run = train(manifest, output=tmp_path / "run", **options)
    model = export_run(run, tmp_path / "model.onnx")
    assert [each.count for each in model.metadata.seen.inherited] == [1]
    with pytest.raises(HonestyError, match="evaluation would measure on"):
        evaluate(run, manifest.having([manifest.rows[int(np.flatnonzero(seen)[0])]]))
    found = evaluate(run, manifest, output=tmp_path / "seen", allow_seen=True)
    assert "1 of these 12 images trained the weights" in found.report.read_text("utf-8")
    # The package holds another model by now: the run remembers what its weights had seen.
    packaged_later(recipe, tmp_path, monkeypatch)
    with pytest.raises(HonestyError, match="evaluation would measure on"):
        evaluate(run, manifest.having([manifest.rows[int(np.flatnonzero(seen)[0])]]))
    (run.folder / "model.onnx").unlink()
    with pytest.raises(InputError, match="is not known"):
        evaluate(run, manifest.having([manifest.rows[int(np.flatnonzero(seen)[0])]]))
    # A file of one's own whose name begins alike is no packaged model.
    own = Weights(kind="file", name="mri (mine).h5", digest="ab" * 32)
    assert refuse_seen(own, manifest, "the evaluation") is None


def test_the_packaged_model_is_a_start() -> None:
    recommended = Recipe.load("recommended")
    backbone = build(recommended).layers[0]
    before = [np.asarray(weight) for weight in backbone.get_weights()]
    said = load_backbone(backbone, name="mobilenet_v2")
    assert said.kind == "mri"
    after = backbone.get_weights()
    kernels = [index for index, weight in enumerate(after) if weight.ndim == 4]
    assert all(not np.array_equal(before[index], after[index]) for index in kernels)
    assert all(np.isfinite(weight).all() for weight in after)
