"""``python -m tumorscope`` is the same as ``tumorscope``."""

from tumorscope.cli import main

main()
