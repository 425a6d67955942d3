"""The page on preprocessing: its vectors are ours, and its snippets compute them.

``python tests/imaging/test_preprocessing_page.py`` draws the vectors anew.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tumorscope.detection.detector import Detector
from tumorscope.imaging import Preprocessing, Slice
from tumorscope.imaging.preprocess import head_box, prepare

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "preprocessing.md"
VECTORS = PAGE.with_name("preprocessing-vectors.json")
Pixels = NDArray[np.uint8]
Prepare = Callable[..., Pixels]


class Vector(TypedDict):
    """One test vector, as the file holds it."""

    name: str
    preprocessing: dict[str, int | str]
    pixels: list[list[int]]
    box: list[int]
    output: list[list[int]]


def head(height: int, width: int, *, seed: int, centre: tuple[float, float] = (0.5, 0.5)) -> Pixels:
    """A textured ellipse with a brighter rim, on air that is nearly black."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    across = np.hypot(
        (rows - centre[0] * height) / (0.36 * height), (columns - centre[1] * width) / (0.3 * width)
    )
    tissue = np.where(across < 0.85, 95 + 30 * np.sin(rows / 3) * np.cos(columns / 4), 190)
    values = np.where(across < 1, tissue, 3) + generator.normal(0, 2, (height, width))
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def drawn() -> dict[str, tuple[Pixels, Preprocessing]]:
    """Return the inputs of all vectors."""
    letters = head(60, 48, seed=3)
    letters[2:6, 2:7] = 255  # an "R" in the corner, which is no head
    framed = np.pad(head(40, 40, seed=4), ((3, 9), (12, 4)))
    free = {"crop": "head", "fit": "pad", "intensity": "percentile"}
    return {
        "stretched and shrunk": (head(50, 36, seed=1), Preprocessing(size=24)),
        "stretched and enlarged": (head(20, 14, seed=2), Preprocessing(size=32)),
        "one side shrinks, one grows": (head(40, 16, seed=5), Preprocessing(size=28)),
        "padded": (head(30, 44, seed=6), Preprocessing(size=24, fit="pad")),
        "windowed": (head(36, 36, seed=7), Preprocessing(size=24, intensity="percentile")),
        "head in a frame": (framed, Preprocessing(size=24, crop="head", fit="pad")),
        "letters left out": (letters, Preprocessing(size=24, **free)),
        "head at the edge": (
            head(48, 40, seed=8, centre=(0.3, 0.3)),
            Preprocessing(size=24, **free),
        ),
        "longer than 256": (
            head(288, 40, seed=9),
            Preprocessing(size=24, **free),
        ),
        "nothing stands out": (
            np.full((20, 30), 5, np.uint8),
            Preprocessing(size=16, **free),
        ),
        "too small to look for a head": (
            head(6, 20, seed=10),
            Preprocessing(size=16, **free),
        ),
    }


def box_of(pixels: Pixels, how: Preprocessing) -> list[int]:
    whole = (0, pixels.shape[0], 0, pixels.shape[1])
    return list(head_box(pixels) if how.crop == "head" else whole)


def stored() -> list[Vector]:
    document = json.loads(VECTORS.read_text("utf-8"))
    return cast(list[Vector], document["vectors"])


def snippet(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    return "\n\n".join(found)


def test_the_vectors_are_what_we_compute() -> None:
    """One grey level apart at most, because OpenCV rounds differently on other processors."""
    assert [each["name"] for each in stored()] == list(drawn())
    for vector, (pixels, how) in zip(stored(), drawn().values(), strict=True):
        assert vector["pixels"] == pixels.tolist(), vector["name"]
        assert vector["preprocessing"] == how.to_dict(), vector["name"]
        assert vector["box"] == box_of(pixels, how), vector["name"]
        output = prepare(Slice(pixels, "vector"), how).astype(int)
        assert np.abs(output - vector["output"]).max() <= 1, vector["name"]


@pytest.fixture(scope="module")
def ours() -> dict[str, Callable[..., object]]:
    """The names that the page's Python defines."""
    names: dict[str, Callable[..., object]] = {}
    exec(compile(snippet("python"), str(PAGE), "exec"), names)
    return names


@pytest.mark.parametrize("name", list(drawn()))
def test_the_python_snippet_computes_the_vectors(
    name: str, ours: dict[str, Callable[..., object]]
) -> None:
    vector = next(each for each in stored() if each["name"] == name)
    pixels = np.array(vector["pixels"], np.uint8)
    if vector["preprocessing"]["crop"] == "head":
        assert ours["head_box"](pixels) == tuple(vector["box"])
    output = cast(Pixels, ours["prepare"](pixels, **vector["preprocessing"])).astype(int)
    assert np.abs(output - vector["output"]).max() <= 1


def test_the_python_snippet_finds_the_same_heads_on_phantoms(
    tmp_path: Path, ours: dict[str, Callable[..., object]]
) -> None:
    from tumorscope.synthetic.phantom import write_phantom_cohort

    write_phantom_cohort(tmp_path / "phantoms", n=2, seed=1)
    how = Preprocessing(size=96, crop="head", fit="pad", intensity="percentile")
    for path in (tmp_path / "phantoms").rglob("*.png"):
        with Image.open(path) as opened:
            pixels = np.array(opened.convert("L"))
        assert ours["head_box"](pixels) == head_box(pixels)
        output = cast(Pixels, ours["prepare"](pixels, **how.to_dict())).astype(int)
        assert np.abs(output - prepare(Slice(pixels, "phantom"), how)).max() <= 1


def test_the_litert_snippet_answers_as_the_detector(
    tiny_litert: Path, ours: dict[str, Callable[..., object]]
) -> None:
    detector = Detector.load(tiny_litert)
    how = detector.metadata.preprocessing.preprocessing
    for seed in range(3):
        pixels = head(90, 70, seed=seed)
        outputs = cast(
            dict[str, NDArray[np.float32]], ours["detect"](str(tiny_litert), pixels, how.to_dict())
        )
        finding = detector.detect(Slice(pixels, "drawn"))
        assert finding.logit == pytest.approx(float(outputs["logit"].ravel()[0]), abs=0.02)
        assert finding.evidence is not None
        assert outputs["evidence"].reshape(finding.evidence.shape) == pytest.approx(
            finding.evidence, abs=0.01
        )


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_javascript_snippet_computes_the_vectors(tmp_path: Path) -> None:
    check = """
const { readFileSync } = require("node:fs");
const { vectors } = JSON.parse(readFileSync(process.argv[2]));
for (const { name, pixels, preprocessing, box, output } of vectors) {
  const height = pixels.length, width = pixels[0].length;
  const flat = { data: Uint8Array.from(pixels.flat()), height, width };
  const found = preprocessing.crop === "head" ? headBox(flat) : [0, flat.height, 0, flat.width];
  if (String(found) !== String(box)) throw new Error(`${name}: box ${found}, expected ${box}`);
  const made = prepare(flat, preprocessing).data, wanted = output.flat();
  const worst = Math.max(...wanted.map((value, at) => Math.abs(value - made[at])));
  if (made.length !== wanted.length || worst > 1) throw new Error(`${name}: differs by ${worst}`);
}
console.log(vectors.length);
"""
    program = tmp_path / "check.cjs"
    program.write_text(snippet("javascript") + check, "utf-8")
    done = subprocess.run(
        ["node", str(program), str(VECTORS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(stored())


def main() -> None:
    """Draw the vectors and write them, a row of pixels a line."""
    vectors = []
    for name, (pixels, how) in drawn().items():
        output = prepare(Slice(pixels, name), how)
        vectors.append(
            {
                "name": name,
                "preprocessing": how.to_dict(),
                "pixels": pixels.tolist(),
                "box": box_of(pixels, how),
                "output": output.tolist(),
            }
        )
    about = (
        "Drawn test vectors of tumorscope's preprocessing; see preprocessing.md. Greys 0 to 255."
    )
    text = json.dumps({"about": about, "vectors": vectors}, separators=(",", ":"))
    VECTORS.write_text(text.replace('{"name"', '\n{"name"').replace("],[", "],\n[") + "\n", "utf-8")


if __name__ == "__main__":
    main()
