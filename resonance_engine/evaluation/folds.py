"""Split tracks for cross-validation by whole groups (soundtracks, albums), so that no group is on both sides."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FOLDS = 5


def assign_folds(groups: Sequence[str], folds: int = FOLDS) -> NDArray[np.intp]:
    """Return the fold (0 to folds - 1) of each track: the largest group first, into the fold with the fewest tracks.

    Of groups of one size, the first by name comes first; of folds of one size, the first takes it.
    """
    sizes = [0] * folds
    fold = {}
    for name, count in sorted(Counter(groups).items(), key=lambda item: (-item[1], item[0])):
        fold[name] = sizes.index(min(sizes))
        sizes[fold[name]] += count
    return np.array([fold[name] for name in groups])
