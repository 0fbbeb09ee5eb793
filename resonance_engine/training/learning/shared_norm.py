"""Batch norm whose statistics are those of the whole batch when several processes have a share of it each.

PyTorch's own (SyncBatchNorm) runs on NVIDIA GPUs alone.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from resonance_engine.training.learning.distributed import summed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonance_engine.training.learning.distributed import World


class SharedBatchNorm(nn.Module):
    """Stands in for a batch norm layer and moves its parameters and running statistics, which keep their names."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, layer: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        for name, values in layer.named_buffers():
            self.register_buffer(name, values)
        self.eps = layer.eps
        self.momentum: float | None = layer.momentum
        self.train(layer.training)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        values = x.float()
        axes = [axis for axis in range(x.dim()) if axis != 1]
        shape = (1, -1) + (1,) * (x.dim() - 2)
        cells = torch.tensor([values.numel() // values.shape[1]], dtype=values.dtype, device=values.device)
        total = summed(torch.cat([values.sum(dim=axes), cells]))
        count = total[-1].detach()
        mean = total[:-1] / count
        variance = summed((values - mean.view(shape)).square().sum(dim=axes)) / count
        self.move(mean, variance * count / (count - 1))
        scale = self.weight * (variance + self.eps).rsqrt()
        return ((values - mean.view(shape)) * scale.view(shape) + self.bias.view(shape)).to(x.dtype)

    @torch.no_grad()
    def move(self, mean: Tensor, variance: Tensor) -> None:
        """Let the running statistics follow the batch's."""
        momentum = self.momentum or 0.0
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)
        self.num_batches_tracked.add_(1)


@contextmanager
def statistics_shared(network: nn.Module, world: World) -> Iterator[None]:
    """While it lasts, the network's batch norms take the statistics of all processes' shares."""
    if world.size == 1:
        yield
        return
    replaced: list[tuple[nn.Module, str, nn.Module]] = []
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, (nn.BatchNorm1d, nn.BatchNorm2d)):
                parent.register_module(name, SharedBatchNorm(child))
                replaced.append((parent, name, child))
    try:
        yield
    finally:
        for parent, name, child in replaced:
            parent.register_module(name, child.train(parent.training))
