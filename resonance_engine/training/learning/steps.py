"""Optimizer steps: accumulate the gradients of batches, then update the weights.

With gradient checkpointing, a backbone's activations are recomputed for the gradients instead of kept.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from resonance_engine.training.learning.device import SharedBatchNorm
from resonance_engine.training.learning.epochs import gate_entropy
from resonance_engine.training.learning.losses import objective

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from resonance_engine.network.model import ResonanceNetwork
    from resonance_engine.training.config.settings import TrainSettings
    from resonance_engine.training.data.dataset import Batch
    from resonance_engine.training.learning.device import Precision, World

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, SharedBatchNorm)
LARGEST_GRADIENT = 5.0  # norm of all gradients together, beyond which they are scaled down


def compute_outputs(
    network: ResonanceNetwork, features: Sequence[Tensor], recompute: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute embedding, facets and gates, as `network(*features)` does.

    With `recompute` (Chen et al. 2016), only the inputs and facets are kept for the gradients: about a third more time
    for a fraction of the memory. Batch norm updates its statistics once a batch.
    """
    if not recompute:
        embedding, facets, gates, *_ = network(*features)
        return embedding, facets, gates

    def compute_facet(backbone: nn.Module, x: Tensor) -> Tensor:
        facet: Tensor = checkpoint(
            backbone, x, use_reentrant=False, context_fn=lambda: (nullcontext(), freeze_statistics(backbone))
        )
        return facet

    backbones = (network.backbones[name] for name in network.modalities)
    facets = torch.stack([compute_facet(*pair) for pair in zip(backbones, features, strict=True)], dim=1)
    embedding, gates = network.fusion(facets)
    return embedding, facets, gates


@contextmanager
def freeze_statistics(module: nn.Module) -> Iterator[None]:
    """Keep the running statistics of batch norms, which still normalise by the batch, as they are."""
    norms = [each for each in module.modules() if isinstance(each, NORMS)]
    momenta = [norm.momentum for norm in norms]
    counters = [count for norm in norms if (count := norm.num_batches_tracked) is not None]
    counts = [counter.clone() for counter in counters]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for counter, count in zip(counters, counts, strict=True):
            counter.copy_(count)


def optimizer_of(network: ResonanceNetwork, train: TrainSettings) -> torch.optim.AdamW:
    """Return AdamW with a group for the gates and one for the rest, each with its learning rate as `base_lr`."""
    gates = [value for name, value in network.named_parameters() if ".gates." in name]
    others = [value for name, value in network.named_parameters() if ".gates." not in name]
    groups: list[dict[str, Any]] = [
        {"params": others, "base_lr": train.lr},
        {"params": gates, "base_lr": train.lr * train.gate_speed},
    ]
    return torch.optim.AdamW(groups, lr=train.lr, weight_decay=train.weight_decay)


class OptimizerSteps:
    """Accumulates gradients and updates the network's weights after every `accumulate_steps` batches."""

    def __init__(self, network: ResonanceNetwork, train: TrainSettings, precision: Precision, world: World) -> None:
        self.network, self.train, self.precision, self.world = network, train, precision, world
        self.optimizer = optimizer_of(network, train)
        self.scaler = precision.scaler()
        self.pending = 0

    def set_rate(self, share: float) -> None:
        """Set the learning rates to this share of their base."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_lr"] * share

    def accumulate(self, batch: Batch) -> tuple[float, float, list[float]]:
        """Add the gradients of a batch; returns its loss, its gates' entropy and the mean gate of each modality."""
        device = self.world.device
        features = [batch.features[name].to(device) for name in self.network.modalities]
        with self.precision.autocast():
            outcome = compute_outputs(self.network, features, self.train.gradient_checkpointing)
        shares = (*(each.float() for each in outcome), batch.songs.to(device), batch.groups.to(device))
        embedding, facets, gates, songs, groups = self.world.gather(*shares)
        loss = objective(embedding, facets, songs, groups, self.train)
        torch.autograd.backward(self.scaler.scale(loss))
        self.pending += 1
        if self.pending == self.train.accumulate_steps:
            self.step()
        with torch.no_grad():
            statistics: Tensor = torch.cat([torch.stack([loss, gate_entropy(gates)]), gates.mean(dim=0)])
        value, entropy, *means = statistics.tolist()
        return value, entropy, means

    def step(self) -> None:
        """Update the weights by the mean of the accumulated gradients, if there are any."""
        if not self.pending:
            return
        if self.pending > 1:
            for parameter in self.network.parameters():
                if parameter.grad is not None:
                    parameter.grad /= self.pending
        self.world.average_gradients(self.network)
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
        self.pending = 0
