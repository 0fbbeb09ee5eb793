"""What hangs together, directly or through others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence


def connected_components(keys: Sequence[Iterable[Hashable]]) -> list[list[int]]:
    """Groups of things, by position, that share a key or are linked through others that do (union-find).

    Every thing is in one group; groups are in the order of their first things.
    """
    parent = list(range(len(keys)))

    def root(thing: int) -> int:
        while parent[thing] != thing:
            parent[thing] = parent[parent[thing]]
            thing = parent[thing]
        return thing

    first: dict[Hashable, int] = {}
    for thing, its_keys in enumerate(keys):
        for key in its_keys:
            one, other = root(first.setdefault(key, thing)), root(thing)
            parent[max(one, other)] = min(one, other)
    groups: dict[int, list[int]] = {}
    for thing in range(len(keys)):
        groups.setdefault(root(thing), []).append(thing)
    return list(groups.values())
