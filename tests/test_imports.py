"""Starting is light: no heavy library is loaded before a command needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("keras", "tensorflow", "matplotlib", "pandas", "scipy", "sklearn", "jinja2", "onnx")


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


def test_the_names_of_the_api_are_there() -> None:
    import tumorscope as ts

    for name in ts.__all__:
        assert getattr(ts, name) is not None
    assert set(ts.__all__) <= set(dir(ts))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ts.nothing
