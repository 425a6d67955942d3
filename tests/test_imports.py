"""Starting is light: no heavy library is loaded before a command needs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

HEAVY = (
    *("keras", "tensorflow", "matplotlib", "pandas", "scipy", "sklearn", "jinja2", "onnx"),
    *("pydicom", "nibabel", "gdcm"),
)


@pytest.mark.parametrize(
    "work",
    [
        "import tumorscope",
        "import tumorscope.cli; tumorscope.cli.app(['--help'], result_action='return_value')",
        "import tumorscope as ts; ts.Manifest; ts.read_slice; ts.split",
    ],
)
def test_nothing_heavy_is_loaded(work: str) -> None:
    check = f"import sys; bad = [m for m in {HEAVY!r} if m in sys.modules]; sys.exit(str(bad))"
    done = subprocess.run(
        [sys.executable, "-c", f"{work}; {check}"], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == "[]"


def test_predict_loads_nothing_heavy(tiny_model: Path, tmp_path: Path) -> None:
    Image.fromarray(np.eye(64, dtype=np.uint8) * 200).save(tmp_path / "a.png")
    words = ["predict", str(tmp_path / "a.png"), "--model", str(tiny_model)]
    words += ["-o", str(tmp_path / "t.csv"), "--overlays", str(tmp_path / "maps")]
    bad = (
        f"[m for m in {(*HEAVY, 'pyarrow', 'openvino', 'tumorscope.scans')!r} if m in sys.modules]"
    )
    program = (
        f"import sys; from tumorscope.cli.app import run; run({words!r}); sys.exit(str({bad}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1] == "[]"
    assert (tmp_path / "maps" / "a.png.png").is_file()


def test_the_names_of_the_api_are_there() -> None:
    import tumorscope as ts

    for name in ts.__all__:
        assert getattr(ts, name) is not None
    assert set(ts.__all__) <= set(dir(ts))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ts.nothing
