"""Execute a notebook from top to bottom and keep its outputs in a copy.

    python notebooks/execute.py notebooks/the_paper.ipynb

writes notebooks/the_paper.executed.ipynb, which git ignores. The notebook runs in the current
folder, with the interpreter that runs this script. A cell that fails ends it with exit code 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

SECONDS_PER_CELL = 3600


def main() -> int:
    """Execute the notebook named on the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Execute a notebook and keep its outputs.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="NAME.executed.ipynb by default")
    arguments = parser.parse_args()
    output = arguments.output or arguments.notebook.with_suffix(".executed.ipynb")
    notebook = nbformat.read(arguments.notebook, as_version=4)
    failed = False
    try:
        NotebookClient(notebook, timeout=SECONDS_PER_CELL).execute()
    except CellExecutionError as error:
        print(error, file=sys.stderr)
        failed = True
    # Written after a failure too: its outputs up to there tell what went wrong.
    nbformat.write(notebook, output)
    print(f"Wrote {output}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
