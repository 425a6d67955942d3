"""Starting weights: what they are called before they are loaded, and files that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tumorscope.common.errors import InputError
from tumorscope.networks import weights
from tumorscope.networks.backbones import build_backbone
from tumorscope.networks.imagenet import WeightsError


def test_what_is_loaded_is_what_was_noted(tmp_path: Path) -> None:
    path = tmp_path / "own.weights.h5"
    build_backbone("small_cnn", 32).save_weights(path)
    other = build_backbone("small_cnn", 32)
    before = np.asarray(other.weights[0]).copy()
    noted = weights.noted("small_cnn", path)
    assert weights.load_weights(other, name="small_cnn", weights=path) == noted
    assert (noted.kind, noted.name) == ("file", "own.weights.h5")
    assert noted == weights.record_of("small_cnn", path)
    assert not np.array_equal(before, np.asarray(other.weights[0]))
    assert weights.load_weights(other, name="small_cnn", weights="none").kind == "none"


def test_a_folder_stands_for_the_file_that_is_named_like_the_backbone(tmp_path: Path) -> None:
    (tmp_path / "small_cnn.h5").touch()
    assert weights.weights_of("small_cnn", tmp_path) == tmp_path / "small_cnn.h5"
    with pytest.raises(WeightsError, match=r"no weights of vgg16.*vgg16\.weights\.h5"):
        weights.weights_of("vgg16", tmp_path)


def test_a_file_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    other = build_backbone("small_cnn", 64)
    other.save_weights(tmp_path / "other.weights.h5")
    (tmp_path / "text.h5").write_text("no weights at all")
    for path in (tmp_path / "other.weights.h5", tmp_path / "text.h5"):
        with pytest.raises(InputError, match="does not fit mobilenet_v2"):
            weights.load_weights(
                build_backbone("mobilenet_v2", 64), name="mobilenet_v2", weights=path
            )
    with pytest.raises(InputError, match="no weights file"):
        weights.load_weights(other, name="small_cnn", weights=tmp_path / "nowhere.h5")
