"""Maximal marginal relevance: close to the query, but not all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray


def mmr_order(
    relevance: NDArray[np.floating], vectors: NDArray[np.float32], lambda_div: float, selected: Sequence[int]
) -> Iterator[int]:
    """Yield the positions of candidates, best first (Carbonell & Goldstein 1998), while the caller selects some.

    Greedy choice of the candidate d with the largest (1 - lambda_div) * relevance(d) - lambda_div * max sim(d, chosen);
    `lambda_div` is the weight of diversity: 0 ranks by relevance alone, 1 by difference alone. `relevance` (n,) and
    `vectors` (n, d) of length one belong to the candidates; ties go to the earlier one. A position that the caller has
    appended to `selected` before it takes the next one counts; another is passed over for good.
    """
    if not 0.0 <= lambda_div <= 1.0:
        raise ValueError(f"lambda_div is a share between 0 and 1, not {lambda_div}")
    gain = (1.0 - lambda_div) * relevance.astype(np.float64)
    left = np.ones(len(relevance), bool)
    closest = np.zeros(len(relevance), np.float32)
    counted = 0
    while left.any():
        best = int(np.argmax(np.where(left, gain - lambda_div * closest, -np.inf)))
        left[best] = False
        yield best
        if len(selected) > counted:
            similarity = vectors @ vectors[best]
            closest = np.maximum(closest, similarity) if counted else similarity
            counted = len(selected)
