"""Model files run in onnxruntime-web, by the page's own code.

Needs node and the package: `npm install onnxruntime-web@1.30` in the repository, or in a folder
that `TUMORSCOPE_WEB` names.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tumorscope.detection.engines import open_engine
from tumorscope.imaging import Slice, prepare
from tumorscope.model_file.onnx_file import ModelFile, read_model

ROOT = Path(__file__).resolve().parents[1]
PACKAGED = ROOT / "src" / "tumorscope" / "models" / "default.onnx"
SITE = Path(os.environ.get("TUMORSCOPE_WEB", ROOT))

ASK = """
import fs from "node:fs";
import * as ort from "onnxruntime-web/wasm";
import { load } from "./detect.js";
ort.env.wasm.numThreads = 1;  // several are for pages: in node it would look for workers in vain
const [about, { height, width, data }] = ["model.json", "picture.json"].map(
  (name) => JSON.parse(fs.readFileSync(name, "utf-8")));
const detect = await load(fs.readFileSync("model.onnx"), about);
const found = await detect({ data: Uint8Array.from(data), height, width });
console.log(JSON.stringify({ ...found, evidence: [...found.evidence.data] }));
"""


def javascript(page: str) -> str:
    text = (ROOT / "docs" / page).read_text("utf-8")
    return "\n\n".join(re.findall(r"^```javascript\n(.*?)^```", text, re.M | re.S))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with what the page says, which finds the package."""
    package = SITE / "node_modules" / "onnxruntime-web"
    if shutil.which("node") is None or not package.is_dir():
        pytest.skip("needs node and onnxruntime-web; see the top of this file")
    (tmp_path / "node_modules").symlink_to(package.parent)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    code = javascript("reference/preprocessing.md")
    assert "\nfunction prepare" in code
    exported = code.replace("\nfunction prepare", "\nexport function prepare")
    (tmp_path / "prepare.js").write_text(exported)
    (tmp_path / "detect.js").write_text(javascript("how-to/export-a-model.md"))
    (tmp_path / "ask.js").write_text(ASK)
    return tmp_path


@pytest.mark.parametrize("head", ["packaged", "dense"])
def test_a_browser_answers_as_we_do(
    site: Path, small_models: dict[str, ModelFile], head: str
) -> None:
    model = read_model(PACKAGED) if head == "packaged" else small_models[head]
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:150, :120]
    inside = ((rows - 75) / 65) ** 2 + ((columns - 60) / 50) ** 2 < 1
    noise = rng.normal(110, 30, (30, 24)).repeat(5, 0).repeat(5, 1)
    pixels = np.clip(noise * inside, 0, 255).astype(np.uint8)
    about = model.metadata.model_dump(mode="json", exclude={"seen"})
    (site / "model.json").write_text(json.dumps(about))
    (site / "model.onnx").write_bytes(model.graph)
    picture = {"height": 150, "width": 120, "data": pixels.ravel().tolist()}
    (site / "picture.json").write_text(json.dumps(picture))
    ran = subprocess.run(["node", "ask.js"], cwd=site, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-800:]
    found = json.loads(ran.stdout)
    prepared = prepare(Slice(pixels, "drawn"), model.metadata.preprocessing.preprocessing)
    ours = open_engine(model).run(prepared[None])
    # The page's preparation may be a grey level from ours here and there.
    assert found["probability"] == pytest.approx(ours.probability[0], abs=0.01)
    threshold = about["operating_points"]["balanced"]["threshold"]
    assert found["tumour"] == (found["probability"] >= threshold)
    assert found["brain"] == (ours.distance[0] <= about["input_check"]["distance"])
    assert np.abs(np.ravel(ours.evidence) - found["evidence"]).max() < 0.05
