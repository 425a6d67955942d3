"""What a node is told: who may send, where results go, and how much it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tumorscope.common.errors import UsageError
from tumorscope.common.limits import check_whole

LONGEST_TITLE = 16
MOST_PORT = 65535
MEGABYTE = 1_000_000


def check_title(title: str, *, name: str) -> str:
    """Return an AE title without the spaces around it.

    Raises
    ------
    UsageError
        If it cannot be one.
    """
    bare = title.strip(" ")
    if not 0 < len(bare) <= LONGEST_TITLE or not (bare.isascii() and bare.isprintable()):
        raise UsageError(
            f"Received {name} {title!r}; expected an AE title: 1 to {LONGEST_TITLE} ASCII "
            "characters, as the other system has it in its settings."
        )
    if "\\" in bare:
        raise UsageError(f"Received {name} {title!r}; an AE title holds no backslash.")
    return bare


@dataclass(frozen=True, slots=True)
class Peer:
    """Another DICOM system.

    Attributes
    ----------
    title, host : str
        Its AE title, and where it is.
    port : int
        From 1 to 65535.
    """

    title: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, name: str = "--send-to") -> Peer:
        """Return the peer that AET@HOST:PORT names.

        Raises
        ------
        UsageError
            If it names none.

        Examples
        --------
        >>> Peer.parse("ARCHIVE@pacs.example:104")
        Peer(title='ARCHIVE', host='pacs.example', port=104)
        """
        title, at, place = text.rpartition("@")
        host, colon, port = place.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")  # as IPv6 addresses are written
        if not (at and colon and host and port.isdecimal() and 0 < int(port) <= MOST_PORT):
            raise UsageError(
                f"Received {name} {text!r}; expected AET@HOST:PORT, such as ARCHIVE@10.0.0.5:104: "
                "AE title, address and port of the system."
            )
        return cls(check_title(title, name=name), host, int(port))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLimits:
    """How much a node takes; what is more is refused, and the sender told so.

    Attributes
    ----------
    associations : int
        Open at one time.
    instance_bytes, spool_bytes : int
        Of one instance, and of all that lies in the spool.
    memory_bytes : int
        Of all that is being received at one time.
    spare_bytes : int
        Left free on the disk, so that results can be written.
    idle_seconds : float
        After so long without a word an association is ended.
    """

    associations: int = 32
    instance_bytes: int = 1000 * MEGABYTE
    spool_bytes: int = 50_000 * MEGABYTE
    memory_bytes: int = 2000 * MEGABYTE
    spare_bytes: int = 64 * MEGABYTE
    idle_seconds: float = 60.0

    def __post_init__(self) -> None:
        check_whole("associations", self.associations, at_least=1, at_most=1000)
        check_whole("instance_bytes", self.instance_bytes, at_least=1)
        check_whole("spool_bytes", self.spool_bytes, at_least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """What a node is told.

    Attributes
    ----------
    title : str
        Its own AE title; associations that call another are rejected.
    host : str
        The address that it listens on.
    port : int
        0 takes one that is free.
    allow : tuple of str
        AE titles that may call; all others are rejected.
    spool : Path
        Where instances and results lie until they are done with.
    send_to : Peer, optional
        Who gets results; without, they are put into `results`.
    results : Path, optional
        A folder for results.
    quiet_seconds : float
        A series is complete after so long without a new instance.
    retention : float
        Seconds for which images are kept after their results were delivered.
    limits : NodeLimits
        How much it takes.
    """

    title: str
    host: str = "127.0.0.1"
    port: int = 11112
    allow: tuple[str, ...]
    spool: Path
    send_to: Peer | None = None
    results: Path | None = None
    quiet_seconds: float = 30.0
    retention: float = 86400.0
    limits: NodeLimits = field(default_factory=NodeLimits)

    def __post_init__(self) -> None:
        check_title(self.title, name="--aet")
        check_whole("port", self.port, at_least=0, at_most=MOST_PORT)
        if not self.allow:
            raise UsageError(
                "Received no --allow; expected the AE title of at least one system that may send, "
                "also on this machine alone, because whatever is sent here is kept and looked at. "
                "Give --allow AET, as many as there are."
            )
        for title in self.allow:
            check_title(title, name="--allow")
        if (self.send_to is None) == (self.results is None):
            raise UsageError(
                "Received neither or both of --send-to and --results; expected one of them: "
                "--send-to AET@HOST:PORT sends results there, --results DIR puts them into a "
                "folder. Choose one."
            )
        if not self.retention >= 0:
            raise UsageError(
                f"Received retention = {self.retention}; expected 0 or more: how long images are "
                "kept after their results were delivered."
            )
        if not self.quiet_seconds > 0:
            raise UsageError(
                f"Received quiet-seconds = {self.quiet_seconds}; expected a number above 0, "
                "longer than the pauses that a sender makes within a series (30 is usual)."
            )
