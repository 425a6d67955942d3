"""One thin module per command: parse, call one function, print."""

from tumorscope.cli.app import app, main

__all__ = ["app", "main"]
