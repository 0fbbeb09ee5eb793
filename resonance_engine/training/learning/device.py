"""Choose the device, CPU, NVIDIA GPU or Apple GPU, and its precision, and explain where its memory is too small."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from resonance_engine.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from resonance_engine.training.config.settings import TrainSettings

DEVICES = ("auto", "cpu", "cuda", "mps")
# Messages of PyTorch's allocators for CPUs (Linux, Windows) and Apple GPUs, in a plain RuntimeError.
EXHAUSTED = ("can't allocate memory", "not enough memory", "out of memory")


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
