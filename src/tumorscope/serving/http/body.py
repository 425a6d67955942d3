"""The body of a request as it arrives, but not from a client that keeps others waiting."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from tumorscope.serving.http.limits import MIB, Limits
from tumorscope.serving.http.problems import Problem

DRAINED, DRAIN_SECONDS = 16 * MIB, 5.0
"""Of a request that is refused while it still arrives, so much is read and thrown away."""


class Body:
    """The body of a request.

    Parameters
    ----------
    request : Request
        Of which nothing was read yet.
    limits : Limits
        How long a client may take.
    """

    def __init__(self, request: Request, limits: Limits) -> None:
        self._request, self._limits, self._ended = request, limits, False

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield what arrives.

        Raises
        ------
        Problem
            408, if nothing arrives for too long, or all of it takes too long.
        ClientDisconnect
            If the client goes away.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + self._limits.upload
        while not self._ended:
            try:
                async with asyncio.timeout_at(min(end, loop.time() + self._limits.idle)):
                    chunk = await self._next()
            except TimeoutError:
                raise self._too_slow() from None
            if chunk:
                yield chunk

    async def drain(self) -> None:
        """Read what is on its way: a client that is cut off while it sends never sees why."""
        left = DRAINED
        with contextlib.suppress(TimeoutError, ClientDisconnect):
            async with asyncio.timeout(DRAIN_SECONDS):
                while left > 0 and not self._ended:
                    left -= len(await self._next())

    async def _next(self) -> bytes:
        message = await self._request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        self._ended = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk

    def _too_slow(self) -> Problem:
        return Problem(
            408,
            received="Received a part of a request, and then nothing for too long.",
            expected=f"Expected the next bytes within {self._limits.idle:.0f} s, and all of it "
            f"within {self._limits.upload:.0f} s.",
            what_to_do="Send it again over a faster line, or in smaller parts.",
            headers={"Connection": "close"},
        )
