"""Libraries that report home are kept from it: tumorscope's own connections are in SECURITY.md."""

from __future__ import annotations

import os
import sys

SWITCHES = {
    # onnxruntime's Linux wheels otherwise keep a device id and an event store in the user's cache
    # folder, and look up the name of a collector.
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Variable of the environment → value at which a library sends no reports."""

REPORTER = "openvino_telemetry"
"""The module through which OpenVINO reports that it was imported; it does without."""


def keep_offline() -> None:
    """Switch off the reports of libraries, in this process and in those that it starts.

    Called by ``import tumorscope``, so before any of them can be loaded by it. What the user has
    set, or loaded before, is left as it is.

    Examples
    --------
    >>> import os
    >>> keep_offline()
    >>> os.environ["ORT_DISABLE_TELEMETRY"]
    '1'
    """
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    # For Python, a module that is None is one that cannot be imported.
    sys.modules.setdefault(REPORTER, None)  # type: ignore[arg-type]
