"""Connected components: items linked by shared keys, directly or through others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence


def connected_components(keys: Sequence[Iterable[Hashable]]) -> list[list[int]]:
    """Group items, by position, that share a key or are linked through others that do (union-find).

    Every item is in one group; groups are in the order of their first items.
    """
    parent = list(range(len(keys)))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    first: dict[Hashable, int] = {}
    for item, item_keys in enumerate(keys):
        for key in item_keys:
            one, other = root(first.setdefault(key, item)), root(item)
            parent[max(one, other)] = min(one, other)
    groups: dict[int, list[int]] = {}
    for item in range(len(keys)):
        groups.setdefault(root(item), []).append(item)
    return list(groups.values())
