"""Maximal marginal relevance: close to the query, but not all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def mmr_order(relevance: NDArray[np.float32], vectors: NDArray[np.float32], count: int, lambda_div: float) -> list[int]:
    """Positions of `count` candidates, best first (Carbonell & Goldstein 1998).

    Greedy choice of the candidate d with the largest (1 - lambda_div) * relevance(d) - lambda_div * max sim(d, chosen);
    `lambda_div` is the weight of diversity: 0 ranks by relevance alone, 1 by difference alone. `relevance` (n,) and
    `vectors` (n, d) of length one belong to the candidates; ties go to the earlier one.
    """
    if not 0.0 <= lambda_div <= 1.0:
        raise ValueError(f"lambda_div is a share between 0 and 1, not {lambda_div}")
    chosen: list[int] = []
    closest = np.zeros(len(relevance), np.float32)
    gain = (1.0 - lambda_div) * relevance.astype(np.float64)
    for _ in range(min(count, len(relevance))):
        scores = gain - lambda_div * closest
        scores[chosen] = -np.inf
        best = int(np.argmax(scores))
        similarity = vectors @ vectors[best]
        closest = np.maximum(closest, similarity) if chosen else similarity
        chosen.append(best)
    return chosen
