"""Maximal marginal relevance: close to the query, but not all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def mmr_order(
    relevance: NDArray[np.floating],
    vectors: NDArray[np.float32],
    count: int,
    lambda_div: float,
    admitted: Callable[[int], bool] = lambda _: True,
) -> list[int]:
    """Positions of `count` candidates, best first (Carbonell & Goldstein 1998).

    Greedy choice of the candidate d with the largest (1 - lambda_div) * relevance(d) - lambda_div * max sim(d, chosen);
    `lambda_div` is the weight of diversity: 0 ranks by relevance alone, 1 by difference alone. `relevance` (n,) and
    `vectors` (n, d) of length one belong to the candidates; ties go to the earlier one. `admitted` is asked once, in
    order of choice, whether a position is taken; one that is not is passed over for good.
    """
    if not 0.0 <= lambda_div <= 1.0:
        raise ValueError(f"lambda_div is a share between 0 and 1, not {lambda_div}")
    gain = (1.0 - lambda_div) * relevance.astype(np.float64)
    if lambda_div == 0.0:
        return first_admitted(np.argsort(-gain, kind="stable").tolist(), count, admitted)
    chosen: list[int] = []
    left = np.ones(len(relevance), bool)
    closest = np.zeros(len(relevance), np.float32)
    while len(chosen) < count and left.any():
        best = int(np.argmax(np.where(left, gain - lambda_div * closest, -np.inf)))
        left[best] = False
        if admitted(best):
            similarity = vectors @ vectors[best]
            closest = np.maximum(closest, similarity) if chosen else similarity
            chosen.append(best)
    return chosen


def first_admitted(order: list[int], count: int, admitted: Callable[[int], bool]) -> list[int]:
    chosen: list[int] = []
    for position in order:
        if len(chosen) == count:
            break
        if admitted(position):
            chosen.append(position)
    return chosen
