"""How often one address may ask."""

from __future__ import annotations

import time
from collections import OrderedDict

from tumorscope.serving.http.problems import Problem

ADDRESSES = 10_000
"""Addresses of which the rate is remembered, the latest."""


class Rate:
    """So many requests per second from each address, and twice as many at once.

    Parameters
    ----------
    per_second : float
        Above 0.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second, self._most = per_second, max(1.0, 2.0 * per_second)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Count a request.

        Raises
        ------
        Problem
            429 with Retry-After, if there are too many.
        """
        now = time.monotonic()
        left, then = self._left.pop(address, (self._most, now))
        left = min(self._most, left + (now - then) * self._per_second)
        self._left[address] = (max(0.0, left - 1.0) if left >= 1.0 else left, now)
        if len(self._left) > ADDRESSES:
            self._left.popitem(last=False)
        if left < 1.0:
            seconds = max(1, round((1.0 - left) / self._per_second))
            raise Problem(
                429,
                received="Received more requests from this address than are taken.",
                expected=f"Expected at most {self._per_second:g} per second.",
                what_to_do=f"Send it again after {seconds} s, or send several files at once.",
                headers={"Retry-After": str(seconds)},
            )
