"""Metric learning on windows of songs: from a set of features to trained weights."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from resonance_engine.training.augment import Augmentation
from resonance_engine.training.losses import supervised_contrastive
from resonance_engine.training.start import standardize

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonance_engine.network.model import ResonanceNetwork
    from resonance_engine.training.dataset import Batch, WindowSet


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; a view is a cut of `frames` frames (20 ms each) from one of a song's windows.

    The loss is SupCon over the windows of a song plus `group_weight` times SupCon over the songs of a group (album,
    soundtrack), of the embedding, plus `facet_weight` times the same of each facet alone. Gates learn `gate_speed`
    times as fast as the rest: they are few, and a few hundred steps would leave them where they began.
    """

    epochs: int = 30
    warmup_epochs: int = 3
    songs: int = 64
    views: int = 2
    frames: int = 300
    lr: float = 1e-3
    gate_speed: float = 20.0
    weight_decay: float = 2e-2
    temperature: float = 0.1
    group_weight: float = 1.0
    facet_weight: float = 0.3
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True)
class Epoch:
    """How an epoch went: its number, mean loss, and the mean entropy of the gates (1 = all equal, 0 = one alone)."""

    number: int
    loss: float
    gate_entropy: float


def train(
    network: ResonanceNetwork, windows: WindowSet, recipe: Recipe, report: Callable[[Epoch], None] = lambda _: None
) -> ResonanceNetwork:
    """Train the network in place on these windows, and return it in evaluation mode."""
    rng = np.random.default_rng(recipe.seed)
    torch.manual_seed(recipe.seed)
    standardize(network, windows)
    gate_weights = [value for name, value in network.named_parameters() if ".gates." in name]
    others = [value for name, value in network.named_parameters() if ".gates." not in name]
    groups: list[dict[str, Any]] = [
        {"params": others},
        {"params": gate_weights, "lr": recipe.lr * recipe.gate_speed},
    ]
    optimizer = torch.optim.AdamW(groups, lr=recipe.lr, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: rate(epoch, recipe))
    for number in range(recipe.epochs):
        network.train()
        losses, entropies = [], []
        for batch in windows.epoch(recipe.songs, recipe.views, recipe.frames, recipe.augmentation, rng):
            loss, gates = loss_of(network, batch, recipe)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            losses.append(float(loss.detach()))
            entropies.append(gate_entropy(gates))
        schedule.step()
        report(Epoch(number + 1, float(np.mean(losses)), float(np.mean(entropies))))
    return network.eval()


def loss_of(network: ResonanceNetwork, batch: Batch, recipe: Recipe) -> tuple[Tensor, Tensor]:
    embedding, facets, gates = network(*(batch.features[name] for name in network.modalities))

    def pull(vectors: Tensor) -> Tensor:
        songs = supervised_contrastive(vectors, batch.songs, recipe.temperature, neutral=batch.groups)
        if recipe.group_weight == 0:
            return songs
        return songs + recipe.group_weight * supervised_contrastive(vectors, batch.groups, recipe.temperature)

    loss = pull(embedding)
    if recipe.facet_weight > 0:
        loss = loss + recipe.facet_weight * sum(pull(facet) for facet in facets.unbind(dim=1))
    return loss, gates.detach()


def rate(epoch: int, recipe: Recipe) -> float:
    """Share of the learning rate: a linear warm-up, then half a cosine down to a hundredth."""
    if epoch < recipe.warmup_epochs:
        return (epoch + 1) / recipe.warmup_epochs
    progress = (epoch - recipe.warmup_epochs) / max(1, recipe.epochs - recipe.warmup_epochs)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))


def gate_entropy(gates: Tensor) -> float:
    """Mean entropy of gates (windows, modalities) over that of equal gates, 0 to 1; 1 for a single one."""
    if gates.shape[1] == 1:
        return 1.0
    entropy = -(gates * gates.clamp(min=1e-12).log()).sum(dim=1).mean()
    return float(entropy / math.log(gates.shape[1]))
