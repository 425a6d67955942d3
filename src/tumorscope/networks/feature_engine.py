"""A backbone's features of many images, by the fastest engine there is.

ONNX Runtime; Keras where the backbone has layers that have no translation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.cores import cores
from tumorscope.networks.onnx_graph import UnsupportedLayerError, feature_graph
from tumorscope.networks.scaling import SCALINGS, network_input

if TYPE_CHECKING:
    import keras


def feature_engine(
    backbone: keras.Model, taps: Sequence[keras.KerasTensor], scaling: str
) -> Callable[[NDArray[np.uint8]], list[NDArray[np.float16]]]:
    """Return a function from grey images to features of a backbone.

    Parameters
    ----------
    backbone : keras.Model
        As made by `tumorscope.networks.backbones.build_backbone`.
    taps : sequence of KerasTensor
        Of the backbone: what the function returns.
    scaling : str
        One of `tumorscope.networks.scaling.SCALINGS`.

    Returns
    -------
    callable
        From uint8 (n, h, w) to float16 (n, h, w, channels), one array for each tap.
    """
    import keras

    scale, offset = SCALINGS[scaling]
    try:
        graph = feature_graph(backbone, taps=taps, scale=scale, offset=offset)
    except UnsupportedLayerError:
        network = keras.Model(backbone.input, taps)

        def run_keras(pixels: NDArray[np.uint8]) -> list[NDArray[np.float16]]:
            outputs = network.predict_on_batch(network_input(pixels, scaling))
            return [np.asarray(output, dtype=np.float16) for output in outputs]

        return run_keras

    import onnxruntime

    # One image per thread beats several threads on one image, whose layers are too small to share.
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    pool = ThreadPoolExecutor(cores())

    def run_one(image: NDArray[np.uint8]) -> list[NDArray[np.float16]]:
        return [output.astype(np.float16) for output in session.run(None, {"pixels": image[None]})]

    def run_onnx(pixels: NDArray[np.uint8]) -> list[NDArray[np.float16]]:
        return [np.concatenate(outputs) for outputs in zip(*pool.map(run_one, pixels), strict=True)]

    return run_onnx
