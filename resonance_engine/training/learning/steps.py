"""Optimizer steps: accumulate the gradients of batches, then update the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from resonance_engine.training.learning.gradient_checkpointing import compute_outputs
from resonance_engine.training.learning.logs import gate_entropy
from resonance_engine.training.learning.objective import objective

if TYPE_CHECKING:
    from resonance_engine.network.model import ResonanceNetwork
    from resonance_engine.training.config.settings import TrainSettings
    from resonance_engine.training.data.dataset import Batch
    from resonance_engine.training.learning.device import Precision
    from resonance_engine.training.learning.distributed import World

LARGEST_GRADIENT = 5.0  # norm of all gradients together, beyond which they are scaled down


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
