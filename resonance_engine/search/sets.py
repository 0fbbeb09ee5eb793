"""How alike two sets of tracks are, such as albums or artists: not by their means, which are average music."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Ids = NDArray[np.int64]


def set_similarity(seeds: Vectors, members: Vectors, owners: Ids) -> tuple[Ids, NDArray[np.float64]]:
    """How close sets of unit vectors `members` (n, d) are to the set of `seeds` (s, d), at most 1 for the same set.

    `owners` (n,) says which set a member belongs to; the result is each owner once, ascending (m,), and its similarity
    (m,). Each track of either set is compared with the one of the other set that is nearest to it; the smaller of the
    two means counts, so that neither set may hold what has no counterpart (the modified Hausdorff distance of Dubuisson
    & Jain 1994, in cosines).
    """
    order = np.argsort(owners, kind="stable")
    found, starts, sizes = np.unique(owners[order], return_index=True, return_counts=True)
    if not len(found) or not len(seeds):
        return found[:0], np.empty(0)
    cosines = seeds @ members[order].T
    forth = np.maximum.reduceat(cosines, starts, axis=1).mean(axis=0, dtype=np.float64)
    back = np.add.reduceat(cosines.max(axis=0), starts, dtype=np.float64) / sizes
    return found, np.minimum(forth, back)
