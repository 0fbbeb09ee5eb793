"""Where a training runs: its device and precision, too little memory, and several processes.

Of several processes, as `torchrun` starts them, each computes a share of every batch, and the numbers are those of a
single one: embeddings are gathered, so that the loss sees the whole batch; batch norm takes its statistics over all
shares; gradients are averaged. Only the first process writes and reports.
"""

from __future__ import annotations

import atexit
import os
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from resonance_engine.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from resonance_engine.training.config.settings import TrainSettings

DEVICES = ("auto", "cpu", "cuda", "mps")
# Messages of PyTorch's allocators for CPUs (Linux, Windows) and Apple GPUs, in a plain RuntimeError.
EXHAUSTED = ("can't allocate memory", "not enough memory", "out of memory")
RENDEZVOUS = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def find_devices() -> tuple[str, ...]:
    """Return the devices that PyTorch finds on this machine, the best first."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return tuple(name for name in present if present[name])


def choose_device(name: str, present: tuple[str, ...]) -> str:
    """Return the device of a name: "auto" is cuda, mps or cpu, the first that the machine has.

    Raises TrainingError for a name that is none of DEVICES and for a device that the machine lacks.
    """
    if name not in DEVICES:
        raise TrainingError(f"The device is {name!r}; expected one of {', '.join(DEVICES)}.")
    if name == "auto":
        return present[0]
    if name == "cuda" and name not in present:
        raise TrainingError(
            "The device cuda was asked for, but PyTorch finds no NVIDIA GPU; install a CUDA build of torch and the "
            "driver, or use --device auto."
        )
    if name == "mps" and name not in present:
        raise TrainingError("The device mps was asked for, but PyTorch finds no Apple GPU; use --device auto.")
    return name


def select_device(name: str = "auto", local_rank: int = 0) -> torch.device:
    """Return the device of that name; of several NVIDIA GPUs, the one of the process `local_rank` of this machine."""
    kind = choose_device(name, find_devices())
    return torch.device("cuda", local_rank) if kind == "cuda" else torch.device(kind)


@dataclass(frozen=True)
class Precision:
    """Precision of the network on a device: in float32, or where `dtype` is given in that where it is safe (AMP).

    float16 reaches so low that gradients would vanish; with it, the loss is scaled.
    """

    device: str
    dtype: torch.dtype | None = None

    def __str__(self) -> str:
        return "float32" if self.dtype is None else f"mixed precision with {str(self.dtype).removeprefix('torch.')}"

    def autocast(self) -> AbstractContextManager[Any]:
        return nullcontext() if self.dtype is None else torch.autocast(self.device, self.dtype)

    def scaler(self) -> torch.amp.GradScaler:
        """Return the scaler of the loss, which does nothing but for float16."""
        return torch.amp.GradScaler(self.device, enabled=self.dtype == torch.float16)


def choose_precision(kind: str, use_amp: bool, bfloat16: bool) -> Precision:
    """Choose mixed precision on NVIDIA GPUs, float32 elsewhere; in bfloat16 where the GPU has it, else in float16."""
    if not use_amp or kind != "cuda":
        return Precision(kind)
    return Precision(kind, torch.bfloat16 if bfloat16 else torch.float16)


@contextmanager
def explain_out_of_memory(train: TrainSettings, kind: str) -> Iterator[None]:
    """Convert running out of memory on a device of that kind to a TrainingError that names the settings to change."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        signs = (sign in str(error) for sign in EXHAUSTED)
        if not (isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(signs)):
            raise
        raise TrainingError(
            f"Training ran out of memory ({kind}); try a smaller train.batch_identities (now {train.batch_identities}) "
            f"or train.views_per_song (now {train.views_per_song}) with more train.accumulate_steps "
            f"(now {train.accumulate_steps}), train.gradient_checkpointing=true, or cache.preload_ram=false."
        ) from error


@dataclass(frozen=True)
class World:
    """The processes of a run: how many, the rank of this one, and its device."""

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009 - a value, and immutable

    @property
    def first(self) -> bool:
        return self.rank == 0

    def gather(self, *shares: Tensor) -> tuple[Tensor, ...]:
        """Gather the rows of all processes, in their order, of tensors with equally many rows; differentiable.

        Every process's gradient is the sum over all losses, which `average_gradients` corrects.
        """
        if self.size == 1:
            return shares
        rows = torch.zeros(self.size, dtype=torch.long, device=self.device)
        rows[self.rank] = len(shares[0])
        counts = sum_over_processes(rows).tolist()
        before, after = sum(counts[: self.rank]), sum(counts[self.rank + 1 :])
        return tuple(
            sum_over_processes(torch.cat([x.new_zeros(before, *x.shape[1:]), x, x.new_zeros(after, *x.shape[1:])]))
            for x in shares
        )

    def average_gradients(self, network: nn.Module) -> None:
        """Replace gradients by their mean over all processes."""
        if self.size == 1:
            return
        gradients = [each.grad for each in network.parameters() if each.grad is not None]
        mean = sum_over_processes(torch.cat([gradient.flatten() for gradient in gradients])) / self.size
        for gradient, part in zip(gradients, torch.split(mean, [each.numel() for each in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def broadcast(self, content: bytes) -> bytes:
        """Return the first process's content in all processes."""
        if self.size == 1:
            return content
        payload = torch.from_numpy(np.frombuffer(content, np.uint8).copy()).to(self.device)
        length = torch.tensor([len(payload)], device=self.device)
        distributed.broadcast(length, 0)
        if not self.first:
            payload = torch.empty(int(length), dtype=torch.uint8, device=self.device)
        if len(payload):
            distributed.broadcast(payload, 0)
        return payload.cpu().numpy().tobytes()

    def broadcast_weights(self, network: nn.Module) -> None:
        """Copy the first process's weights to all processes."""
        if self.size > 1:
            for values in network.state_dict().values():
                distributed.broadcast(values, 0)


class AllReduceSum(torch.autograd.Function):
    """The sum over all processes; its gradient is the sum of their gradients."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:
        return sum_over_processes(gradients[0].contiguous())


def sum_over_processes(x: Tensor) -> Tensor:
    """Sum the processes' tensors of one shape, differentiably."""
    total: Tensor = AllReduceSum.apply(x)  # type: ignore[no-untyped-call]  # PyTorch publishes no type for it
    return total


def is_distributed(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether this process is one of several that `torchrun` (or its like) started."""
    return all(name in environment for name in RENDEZVOUS) and int(environment["WORLD_SIZE"]) > 1


def local_rank(environment: Mapping[str, str] = os.environ) -> int:
    """Return the number of this process among those of this machine."""
    return int(environment.get("LOCAL_RANK", "0")) if is_distributed(environment) else 0


def join(device: torch.device) -> World:
    """Join the process group, if there is one, until this process ends."""
    if not is_distributed():
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


class SharedBatchNorm(nn.Module):
    """A batch norm layer whose statistics are those of all processes' shares together.

    Takes over the parameters and running statistics of a layer, which keep their names. PyTorch's own (SyncBatchNorm)
    runs on NVIDIA GPUs alone.
    """

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
        total = sum_over_processes(torch.cat([values.sum(dim=axes), cells]))
        count = total[-1].detach()
        mean = total[:-1] / count
        variance = sum_over_processes((values - mean.view(shape)).square().sum(dim=axes)) / count
        self.update(mean, variance * count / (count - 1))
        scale = self.weight * (variance + self.eps).rsqrt()
        return ((values - mean.view(shape)) * scale.view(shape) + self.bias.view(shape)).to(x.dtype)

    @torch.no_grad()
    def update(self, mean: Tensor, variance: Tensor) -> None:
        """Update the running statistics by the batch's."""
        momentum = self.momentum or 0.0
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)
        self.num_batches_tracked.add_(1)


@contextmanager
def share_statistics(network: nn.Module, world: World) -> Iterator[None]:
    """Let the network's batch norms compute the statistics of all processes' shares, within the context."""
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
