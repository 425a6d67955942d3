"""What a node is told is checked before it listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tumorscope.common.errors import UsageError
from tumorscope.serving.node_settings import NodeLimits, NodeSettings, Peer, check_title


def test_peers_are_named_as_other_systems_name_them() -> None:
    assert Peer.parse("A B@10.0.0.5:104") == Peer("A B", "10.0.0.5", 104)
    assert Peer.parse("A@[::1]:11112") == Peer("A", "::1", 11112)


@pytest.mark.parametrize(
    "text", ["", "A", "A@host", "@host:104", "A@:104", "A@host:0", "A@host:70000", "A@host:x"]
)
def test_what_names_no_peer_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Peer.parse(text)


@pytest.mark.parametrize("title", ["", "  ", "A" * 17, "Å", "A\\B", "A\nB"])
def test_what_is_no_title_is_refused(title: str) -> None:
    with pytest.raises(UsageError):
        check_title(title, name="--aet")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"allow": ()}, "Received no --allow"),
        ({"results": None}, "neither or both"),
        ({"send_to": Peer("A", "host", 1)}, "neither or both"),
        ({"quiet_seconds": 0.0}, "above 0"),
        ({"retention": float("nan")}, "0 or more"),
        ({"port": 70000}, "at most 65535"),
    ],
)
def test_what_cannot_be_meant_is_refused(change: dict[str, object], words: str) -> None:
    usual = {"title": "NODE", "allow": ("A",), "spool": Path("s"), "results": Path("r")}
    NodeSettings(**usual)
    with pytest.raises(UsageError, match=words):
        NodeSettings(**{**usual, **change})


def test_limits_are_checked() -> None:
    with pytest.raises(UsageError):
        NodeLimits(associations=0)
