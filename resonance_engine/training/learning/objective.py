"""The objective of training: the loss that the settings name, over songs, groups and facets."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from resonance_engine.training.learning.losses import contrastive, supervised_contrastive, triplet

if TYPE_CHECKING:
    from torch import Tensor

    from resonance_engine.training.config.settings import TrainSettings


class LabelLoss(Protocol):
    """A loss of `losses` with its temperature or margin set."""

    def __call__(self, embeddings: Tensor, labels: Tensor, *, neutral: Tensor | None = None) -> Tensor: ...


def select_loss(train: TrainSettings) -> LabelLoss:
    """Return the loss that `train.loss` names."""
    losses: dict[str, LabelLoss] = {
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
        total = loss(vectors, songs, neutral=groups)
        if train.group_weight > 0:
            total = total + train.group_weight * loss(vectors, groups, neutral=songs)
        return total

    total = of(embedding)
    if train.facet_weight > 0:
        total = total + train.facet_weight * sum(of(facet) for facet in facets.unbind(dim=1))
    return total
