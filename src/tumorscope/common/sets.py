"""Things that belong together, joined pair by pair."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

H = TypeVar("H", bound=Hashable)


class Sets(Generic[H]):
    """Disjoint sets that can be joined (union–find)."""

    def __init__(self) -> None:
        self._parent: dict[H, H] = {}

    def find(self, item: H) -> H:
        """Return the representative of the set that `item` is in."""
        parent = self._parent.setdefault(item, item)
        while parent != item:
            grandparent = self._parent[parent]
            self._parent[item] = grandparent
            item, parent = parent, grandparent
        return item

    def join(self, one: H, other: H) -> None:
        """Make one set of the two; the representative of `one` stays."""
        self._parent[self.find(other)] = self.find(one)
