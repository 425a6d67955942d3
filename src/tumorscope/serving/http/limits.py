"""How much a service takes at most, so that no client and no file can exhaust the machine."""

from __future__ import annotations

from dataclasses import dataclass

from tumorscope.common.errors import UsageError

MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request, and all of them together, may take.

    Attributes
    ----------
    request : int
        Bytes of one request.
    files : int
        Files of one request, members of archives included.
    unpacked : int
        Bytes of all members of an archive, unpacked.
    spool : int
        Bytes on disk of all requests and results that are kept.
    waiting : int
        Requests of either kind, pictures and volumes, that wait or are worked on.
    rate : float, optional
        Requests for findings per second from one address; no limit by default.
    idle : float
        Seconds in which a client must send or take something.
    upload : float
        Seconds in which a request must have arrived.
    work : float
        Seconds after which work on one request is given up.
    retention : float
        Seconds that results are kept.
    """

    request: int = 2048 * MIB
    files: int = 20_000
    unpacked: int = 4096 * MIB
    spool: int = 20_480 * MIB
    waiting: int = 24
    rate: float | None = None
    idle: float = 20.0
    upload: float = 900.0
    work: float = 1800.0
    retention: float = 3600.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            # Not below, so that NaN is refused too.
            if value is not None and not value > 0:
                raise UsageError(
                    f"Received {name} = {value} as a limit of the service; expected a number "
                    "above 0. Leave the option out for what is usual."
                )
