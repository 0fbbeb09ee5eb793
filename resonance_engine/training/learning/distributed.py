"""One training run in several processes, as `torchrun` starts them: everyone computes a share of every batch.

The numbers are those of a single process. Embeddings are gathered, so that the loss sees the whole batch; batch norm
takes its statistics over all shares; gradients are averaged. Only the first process writes and reports.
"""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, distributed

from resonance_engine.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

RENDEZVOUS = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class World:
    """The processes that train together: how many, which one this is, and where its tensors lie."""

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009 - a value, and immutable

    @property
    def first(self) -> bool:
        return self.rank == 0

    def gathered(self, *shares: Tensor) -> tuple[Tensor, ...]:
        """The rows of all processes, in their order, for each of some tensors with equally many rows; differentiable.

        Each process's gradient is the sum of what all losses say, so that `average_gradients` makes it right again.
        """
        if self.size == 1:
            return shares
        rows = torch.zeros(self.size, dtype=torch.long, device=self.device)
        rows[self.rank] = len(shares[0])
        counts = summed(rows).tolist()
        before, after = sum(counts[: self.rank]), sum(counts[self.rank + 1 :])
        return tuple(
            summed(torch.cat([x.new_zeros(before, *x.shape[1:]), x, x.new_zeros(after, *x.shape[1:])])) for x in shares
        )

    def average_gradients(self, network: nn.Module) -> None:
        """Give every process the mean of all processes' gradients."""
        if self.size == 1:
            return
        gradients = [each.grad for each in network.parameters() if each.grad is not None]
        mean = summed(torch.cat([gradient.flatten() for gradient in gradients])) / self.size
        for gradient, part in zip(gradients, torch.split(mean, [each.numel() for each in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def from_first(self, content: bytes) -> bytes:
        """What the first process says, in all of them."""
        if self.size == 1:
            return content
        said = torch.from_numpy(np.frombuffer(content, np.uint8).copy()).to(self.device)
        length = torch.tensor([len(said)], device=self.device)
        distributed.broadcast(length, 0)
        if not self.first:
            said = torch.empty(int(length), dtype=torch.uint8, device=self.device)
        if len(said):
            distributed.broadcast(said, 0)
        return said.cpu().numpy().tobytes()

    def equalize(self, network: nn.Module) -> None:
        """Give every process the first one's weights."""
        if self.size > 1:
            for values in network.state_dict().values():
                distributed.broadcast(values, 0)


class Sum(torch.autograd.Function):
    """The sum over all processes; its gradient is the sum of their gradients."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:
        return summed(gradients[0].contiguous())


def summed(x: Tensor) -> Tensor:
    """The sum of the processes' tensors of one shape, differentiable."""
    total: Tensor = Sum.apply(x)  # type: ignore[no-untyped-call]  # PyTorch publishes no type for it
    return total


def together(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is one of several that `torchrun` (or its like) started."""
    return all(name in environment for name in RENDEZVOUS) and int(environment["WORLD_SIZE"]) > 1


def local_rank(environment: Mapping[str, str] = os.environ) -> int:
    """The number of this process among those of this machine."""
    return int(environment.get("LOCAL_RANK", "0")) if together(environment) else 0


def join(device: torch.device) -> World:
    """Meet the other processes, if there are any; they stay together until this one ends."""
    if not together():
        return World(device=device)
    if device.type == "mps":
        raise TrainingError(
            "Several processes cannot train on an Apple GPU together; use --device cpu, or one process."
        )
    if not distributed.is_initialized():
        if device.type == "cuda":
            torch.cuda.set_device(device)
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        atexit.register(distributed.destroy_process_group)
    return World(distributed.get_rank(), distributed.get_world_size(), device)
