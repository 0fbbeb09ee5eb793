"""Explain running out of memory by the settings that need less."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from resonance_engine.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonance_engine.training.config.settings import TrainSettings

# Messages of PyTorch's allocators for CPUs (Linux, Windows) and Apple GPUs, in a plain RuntimeError.
EXHAUSTED = ("can't allocate memory", "not enough memory", "out of memory")


@contextmanager
def explain_out_of_memory(train: TrainSettings, kind: str) -> Iterator[None]:
    """Convert running out of memory on a device of that kind to a TrainingError that names the settings to change."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_exhaustion(error):
            raise
        raise TrainingError(
            f"Training ran out of memory ({kind}); try a smaller train.batch_identities (now {train.batch_identities}) "
            f"or train.views_per_song (now {train.views_per_song}) with more train.accumulate_steps "
            f"(now {train.accumulate_steps}), train.gradient_checkpointing=true, or cache.preload_ram=false."
        ) from error


def is_exhaustion(error: BaseException) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return any(sign in str(error) for sign in EXHAUSTED)
