"""Fixtures that every room's tests share."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from tumorscope.common.offline import keep_offline

keep_offline()  # before a module of tests loads onnxruntime

pytest_plugins = [
    "tests.fixtures.drawn_head",
    "tests.fixtures.eager",
    "tests.fixtures.few_resamples",
    "tests.fixtures.few_trees",
    "tests.fixtures.heads_of_models",
    "tests.fixtures.other_engines",
    "tests.fixtures.series_models",
    "tests.fixtures.tiff_files",
    # Before those that import it: pytest rewrites what it imports itself.
    "tests.fixtures.undrawn",
    "tests.fixtures.trained",
]

SLOWEST = (
    "tests/detection/ray_batch/test_run.py",
    "tests/networks/test_backbones.py",
    "tests/experiments/search/test_tune.py",
    "tests/test_golden_outputs.py",
    "tests/reports/test_drawn_report.py",
    "tests/reports/test_displays.py",
    "tests/networks/test_model_graph.py",
    "tests/networks/test_systems.py",
    "tests/serving/test_dicom_results.py",
    "tests/serving/test_dicomweb.py",
    "tests/training/test_fit_places.py",
    "tests/cli/test_training_commands.py",
    "tests/test_docs_python.py",
    "tests/training/test_export.py",
    "tests/cli/test_environment.py",
    "tests/records/test_resume.py",
    "tests/cli/test_predict_volumes.py",
    "tests/training/test_fit.py",
    "tests/cli/test_slices.py",
    "tests/networks/test_weights_of_model_file.py",
    "tests/cli/test_predict.py",
    "tests/experiments/test_types.py",
    "tests/networks/test_onnx_graph.py",
    "tests/test_examples.py",
    "tests/assessment/test_seen.py",
    "tests/assessment/test_speed.py",
    "tests/training/test_train.py",
    "tests/reports/test_report.py",
    "tests/experiments/test_crossval.py",
    "tests/cli/test_base_install.py",
    "tests/auditing/test_audit.py",
    "tests/test_notebook.py",
    "tests/cli/test_dicom_node.py",
    "tests/scans/test_index.py",
    "tests/networks/test_imagenet.py",
    "tests/networks/test_halves.py",
    "tests/experiments/comparison/test_compare.py",
    "tests/experiments/search/test_storage.py",
    "tests/detection/test_batch.py",
    "tests/reports/test_experiment_displays.py",
    "tests/scans/test_planes.py",
    "tests/experiments/test_ray_folds.py",
    "tests/scans/test_segmentation.py",
    "tests/cohort/test_overwriting.py",
    "tests/duplicates/test_pairs.py",
    "tests/conversion/test_convert.py",
    "tests/serving/test_node.py",
    "tests/serving/test_receiver.py",
)
"""Files that begin first, so that no worker is left alone with one of them at the end."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Tests and what they import are no garbage, and are not looked through for it.

    That takes half a second each time, and libraries and tests ask for it hundreds of times.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        # Seldom: by default a fifth of the import of TensorFlow is looking for garbage.
        gc.set_threshold(20_000, 10, 10)
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    place = {config.rootpath / name: index for index, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


# No deadline: on a busy machine a slow example says nothing about the code.
settings.register_profile("tumorscope", deadline=None, max_examples=40)
settings.load_profile("tumorscope")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with navoneel_253/ and weights/; the test skips where it is absent.

    `TUMORSCOPE_DATA` names it. Without, it is data/ in the repository, or in a folder beside it, so
    that several checkouts find one copy.
    """
    root = Path(__file__).resolve().parents[1]
    named = os.environ.get("TUMORSCOPE_DATA")
    beside = sorted(found.parent for found in root.parent.glob("*/data/navoneel_253"))
    for folder in [Path(named)] if named else [root / "data", *beside]:
        if (folder / "navoneel_253").is_dir():
            return folder
    pytest.skip("needs the public data set; set TUMORSCOPE_DATA to the folder that holds it")


@pytest.fixture
def tiny_cohort(drawn_tiny_cohort: Path, tmp_path: Path) -> Path:
    """Six distinct noise images, 96 × 96, in each of yes/ and no/; yes/ with a bright disc."""
    return shutil.copytree(drawn_tiny_cohort, tmp_path / "data")


@pytest.fixture(scope="session")
def drawn_tiny_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `tiny_cohort` is a copy of; never changed."""
    folder = tmp_path_factory.mktemp("tiny") / "data"
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:96, :96]
    for label, name in enumerate(("no", "yes")):
        (folder / name).mkdir(parents=True)
        for index in range(6):
            pixels = rng.normal(90, 25, (12, 12)).repeat(8, axis=0).repeat(8, axis=1)
            if label:
                pixels[(rows - 30 - 5 * index) ** 2 + (columns - 50) ** 2 < 150] = 240
            image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
            image.save(folder / name / f"{name}{index}.png")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model file, made without Keras: bright pixels are evidence of a tumour.

    Input 64 × 64, evidence 8 × 8; the logit is (mean grey of the image − 100) / 10, and the
    distance is the standard deviation of the 8 × 8 block means, refused above 110.
    """
    onnx = pytest.importorskip("onnx", reason="needs the train extra")
    from onnx import TensorProto, helper, numpy_helper

    from tumorscope.model_file.onnx_file import write_model
    from tumorscope.model_file.schema import (
        Conformal,
        Estimate,
        InputCheck,
        Metadata,
        OperatingPoint,
        PreprocessingSpec,
        TrainingThumbprints,
    )

    constants = {
        "kernel": np.full((1, 1, 8, 8), 1 / 64, np.float32),
        "share": np.float32(1 / 640.0).reshape(1),
        "base": np.float32(-10.0).reshape(1),
        "slope": np.float32(0.8).reshape(1),
        "intercept": np.float32(0.1).reshape(1),
        "axis1": np.array([1], np.int64),
        "axes12": np.array([1, 2], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["pixels"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["grey", "axis1"], ["image"]),
        helper.make_node("Conv", ["image", "kernel"], ["blocks"], strides=[8, 8]),
        helper.make_node("Squeeze", ["blocks", "axis1"], ["means"]),
        helper.make_node("Mul", ["means", "share"], ["evidence"]),
        helper.make_node("ReduceSum", ["evidence", "axes12"], ["total"], keepdims=0),
        helper.make_node("Add", ["total", "base"], ["logit"]),
        helper.make_node("Sub", ["logit", "total"], ["bias"]),
        helper.make_node("Mul", ["logit", "slope"], ["scaled"]),
        helper.make_node("Add", ["scaled", "intercept"], ["calibrated"]),
        helper.make_node("Sigmoid", ["calibrated"], ["probability"]),
        helper.make_node("ReduceMean", ["blocks"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Sub", ["blocks", "mean"], ["apart"]),
        helper.make_node("Mul", ["apart", "apart"], ["squared"]),
        helper.make_node("ReduceMean", ["squared"], ["variance"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Sqrt", ["variance"], ["distance"]),
    ]
    shapes = {"probability": ["n"], "logit": ["n"], "evidence": ["n", 8, 8]}
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes.get(name, ["n"]))
        for name in ("probability", "logit", "evidence", "bias", "distance")
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 64, 64])],
            outputs,
            initializer=[
                numpy_helper.from_array(values, name) for name, values in constants.items()
            ],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    onnx.checker.check_model(model)
    reached = Estimate(value=0.9, low=0.8, high=0.95)
    points = {
        name: OperatingPoint(
            threshold=threshold, policy="made up", sensitivity=reached, specificity=reached
        )
        for name, threshold in (("balanced", 0.5), ("screening", 0.2), ("specific", 0.8))
    }
    metadata = Metadata(
        name="tiny",
        created="2026-01-01T00:00:00Z",
        graph_sha256="0" * 64,
        preprocessing=PreprocessingSpec(size=64, crop="none", fit="stretch", intensity="none"),
        grid=(8, 8),
        operating_points=points,
        conformal=Conformal(no_tumour=0.6, tumour=0.6, n=(50, 50)),
        input_check=InputCheck(distance=110.0),
        recipe={"name": "tiny"},
        data={"sha256": "0" * 64},
        versions={},
        # Some picture that no test shows it, so that it can tell that it has not seen others.
        seen=TrainingThumbprints.pack(
            np.random.default_rng(7).integers(0, 256, (1, 104), dtype=np.uint8)
        ),
    )
    return write_model(
        tmp_path_factory.mktemp("model") / "tiny.onnx", model.SerializeToString(), metadata
    ).path
