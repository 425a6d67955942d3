"""Ask whether a model reads the source of an image instead of the tumour.

    python benchmarks/shortcuts.py --model MODEL.onnx --data MANIFEST.csv [--weights imagenet|PATH]

A probe (logistic regression, grouped five-fold) is trained to tell the source of images of one
label, from the model's pooled features, from its logit alone, and beside them from the features of
the same network with its starting weights. Chance is one over the number of sources. What the
decision uses is the logit: the closer its probe is to chance, the less the source decides.
Writes benchmarks/results/shortcuts.csv: balanced accuracy with a 95 % interval from resampling
groups.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tumorscope.cohort.manifest import Manifest
from tumorscope.detection.detector import PACKAGED
from tumorscope.imaging import prepare, read_slice
from tumorscope.model_file.onnx_file import ModelFile, read_model
from tumorscope.networks.start import start
from tumorscope.recipes.recipe import Recipe
from tumorscope.statistics import Interval, cluster_bootstrap
from tumorscope.training.feature_store import extractor

if TYPE_CHECKING:
    import onnxruntime

RESULTS = Path(__file__).parent / "results" / "shortcuts.csv"
FEWEST, MOST = 30, 120
"""Images of a source: fewer are left out, more are thinned out, so that each counts alike."""

BATCH = 32

COLUMNS = (
    "model",
    "label",
    "sources",
    "images",
    "chance",
    "of",
    "balanced_accuracy",
    "low",
    "high",
)


def with_features(model: ModelFile) -> onnxruntime.InferenceSession:
    """Return a session of the model whose pooled features are an output too."""
    import onnxruntime

    graph = onnx.load_from_string(model.graph)
    # The last convolution makes evidence out of the features.
    last = [node for node in graph.graph.node if node.op_type == "Conv"][-1]
    graph.graph.node.append(
        onnx.helper.make_node("ReduceMean", last.input[:1], ["pooled"], axes=[2, 3], keepdims=0)
    )
    graph.graph.output.append(
        onnx.helper.make_tensor_value_info("pooled", onnx.TensorProto.FLOAT, None)
    )
    return onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def probe(
    features: NDArray[np.float64], sources: NDArray[np.str_], groups: NDArray[np.str_]
) -> Interval:
    """Return the balanced accuracy of a probe for the source on images that it did not see."""
    called = np.empty_like(sources)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    for training, testing in folds.split(features, sources, groups):
        machine = make_pipeline(
            StandardScaler(), LogisticRegression(C=0.1, max_iter=500, class_weight="balanced")
        )
        machine.fit(features[training], sources[training])
        called[testing] = machine.predict(features[testing])
    names = np.unique(sources)

    def balanced(index: NDArray[np.intp]) -> float:
        right = called[index] == sources[index]
        shares = [right[sources[index] == name] for name in names]
        return float(np.mean([share.mean() for share in shares if len(share)]))

    return cluster_bootstrap(balanced, groups, n_resamples=500)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=PACKAGED)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default="imagenet")
    arguments = parser.parse_args()
    model = read_model(arguments.model)
    manifest = thinned(Manifest.load(arguments.data).usable)
    how = model.metadata.preprocessing.preprocessing
    pixels = np.stack([prepare(read_slice(manifest.file(row)), how) for row in manifest.rows])
    session = with_features(model)
    names = [each.name for each in session.get_outputs()]
    found: dict[str, list[NDArray[np.float64]]] = {"features": [], "logit": [], "untrained": []}
    recipe = Recipe.parse(dict(model.metadata.recipe))
    network, _ = start(recipe, arguments.weights)
    extract = extractor(network, recipe, [None])
    for first in range(0, len(pixels), BATCH):
        part = pixels[first : first + BATCH]
        outputs = dict(zip(names, session.run(None, {"pixels": part}), strict=True))
        found["features"].append(outputs[names[-1]].reshape(len(part), -1).astype(np.float64))
        found["logit"].append(outputs["logit"].reshape(-1, 1).astype(np.float64))
        found["untrained"].append(extract(part)[None][0].astype(np.float64).mean(axis=(1, 2)))
    everything = {name: np.concatenate(parts) for name, parts in found.items()}
    sources = np.array([row.source for row in manifest.rows])
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for label, words in ((0, "no tumour"), (1, "tumour")):
            chosen = manifest.labels == label
            names_of_label = np.unique(sources[chosen])
            if len(names_of_label) < 2:
                continue
            for name, values in everything.items():
                result = probe(values[chosen], sources[chosen], manifest.groups[chosen])
                row = [
                    model.metadata.id,
                    words,
                    len(names_of_label),
                    int(chosen.sum()),
                    f"{1 / len(names_of_label):.3f}",
                    name,
                    f"{result.value:.3f}",
                    f"{result.low:.3f}",
                    f"{result.high:.3f}",
                ]
                writer.writerow(row)
                print(*row)


def thinned(manifest: Manifest) -> Manifest:
    """Return at most `MOST` images of each source and label, none where there are too few."""
    generator = np.random.default_rng(0)
    kept = []
    sources = np.array([row.source for row in manifest.rows])
    for source in np.unique(sources):
        for label in (0, 1):
            members = np.flatnonzero((sources == source) & (manifest.labels == label))
            if len(members) >= FEWEST:
                kept += generator.permutation(members)[:MOST].tolist()
    return manifest.having(manifest.rows[index] for index in sorted(kept))


if __name__ == "__main__":
    main()
