"""Metric losses over labelled unit vectors, and the objective: their sum over songs, groups and facets.

Losses take `embeddings` (n, d) of length one and `labels` (n,): vectors of one label are positives of each other, all
others negatives. `neutral` labels (n,), where given, take pairs that share them and are no positives out of the loss:
songs of one album, say, are neither drawn together nor driven apart.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonance_engine.training.config.settings import TrainSettings

MARGIN = 0.2


def supervised_contrastive(
    embeddings: Tensor, labels: Tensor, temperature: float = 0.05, neutral: Tensor | None = None
) -> Tensor:
    """SupCon (Khosla et al. 2020, L_out): every vector is drawn to those of its label and away from all others.

    For each anchor i with positives P(i), the mean over p in P(i) of
    -log(exp(e_i·e_p / τ) / sum over a ≠ i of exp(e_i·e_a / τ)); anchors without a positive do not count, and without
    any positive the loss is zero.
    """
    positive, negative = relations(labels, neutral)
    logits = (embeddings @ embeddings.T / temperature).masked_fill(~(positive | negative), -torch.inf)
    counts = positive.sum(dim=1)
    anchors = counts > 0
    if not bool(anchors.any()):
        return embeddings.sum() * 0.0
    log_share = logits[anchors] - logits[anchors].logsumexp(dim=1, keepdim=True)
    per_anchor = -log_share.masked_fill(~positive[anchors], 0.0).sum(dim=1) / counts[anchors]
    return per_anchor.mean()


def triplet(embeddings: Tensor, labels: Tensor, margin: float = MARGIN, neutral: Tensor | None = None) -> Tensor:
    """Triplets with semi-hard mining (Schroff et al. 2015): max(0, |a - p|² - |a - n|² + margin).

    Each anchor and positive get one negative: the nearest of those that are farther from the anchor than the positive
    is (semi-hard; one beyond the margin costs nothing). Where no negative is farther, the farthest there is stands in,
    since the nearest ones pull a network into one point. The loss is the mean over the triplets that cost something,
    and zero where none does.
    """
    squared = squared_distances(embeddings)
    positive, negative = relations(labels, neutral)
    anchors, positives = (positive & negative.any(dim=1, keepdim=True)).nonzero(as_tuple=True)
    if not len(anchors):
        return embeddings.sum() * 0.0
    with torch.no_grad():
        ascending, order = squared.masked_fill(~negative, torch.inf).sort(dim=1)
        farther = torch.searchsorted(ascending, squared, right=True)
        farthest = negative.sum(dim=1, keepdim=True) - 1
        negatives = order.gather(1, torch.minimum(farther, farthest).clamp(min=0))
    costs = squared[anchors, positives] - squared[anchors, negatives[anchors, positives]] + margin
    return mean_of_active(costs.clamp(min=0))


def contrastive(embeddings: Tensor, labels: Tensor, margin: float = MARGIN, neutral: Tensor | None = None) -> Tensor:
    """Contrastive loss (Hadsell et al. 2006) on distances D: ½ D² for positives, ½ max(0, margin - D)² for negatives.

    The two kinds are averaged by themselves, since a batch has many times more negatives: the mean over all positive
    pairs plus the mean over the negative pairs nearer than the margin.
    """
    squared = squared_distances(embeddings)
    positive, negative = relations(labels, neutral)
    drawn = 0.5 * squared[positive]
    # The root's slope is infinite at zero.
    driven = 0.5 * (margin - squared[negative].clamp(min=1e-12).sqrt()).clamp(min=0).square()
    return (drawn.sum() / max(1, len(drawn))) + mean_of_active(driven)


def relations(labels: Tensor, neutral: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return which pairs (n, n) are positives and which negatives."""
    same = labels[:, None] == labels[None, :]
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    negative = ~same
    if neutral is not None:
        negative &= neutral[:, None] != neutral[None, :]
    return positive, negative


def squared_distances(embeddings: Tensor) -> Tensor:
    """Compute |e_i - e_j|² of unit vectors, (n, n)."""
    return (2 - 2 * embeddings @ embeddings.T).clamp(min=0)


def mean_of_active(costs: Tensor) -> Tensor:
    """Return the mean of the costs above zero; zero where there are none."""
    return costs.sum() / (costs > 0).sum().clamp(min=1)


def select_loss(train: TrainSettings) -> Callable[..., Tensor]:
    """Return the loss that `train.loss` names, with its temperature or margin set."""
    losses: dict[str, Callable[..., Tensor]] = {
        "supcon": partial(supervised_contrastive, temperature=train.temperature),
        "triplet": partial(triplet, margin=train.margin),
        "contrastive": partial(contrastive, margin=train.margin),
    }
    return losses[train.loss]


def objective(embedding: Tensor, facets: Tensor, songs: Tensor, groups: Tensor, train: TrainSettings) -> Tensor:
    """Compute the loss of embeddings (n, d) and facets (n, modalities, d) whose songs and groups are numbered, (n,).

    Windows of one song are positives; with `group_weight`, so are songs of one group. Positives of one term are neutral
    in the other. The same of each facet alone has the weight `facet_weight`.
    """
    loss = select_loss(train)

    def of(vectors: Tensor) -> Tensor:
        total: Tensor = loss(vectors, songs, neutral=groups)
        if train.group_weight > 0:
            total = total + train.group_weight * loss(vectors, groups, neutral=songs)
        return total

    total = of(embedding)
    if train.facet_weight > 0:
        total = total + train.facet_weight * sum(of(facet) for facet in facets.unbind(dim=1))
    return total
