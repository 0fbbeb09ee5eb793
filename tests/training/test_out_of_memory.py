"""Too little memory is one sentence that says what takes less."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch

from resonance_engine.errors import TrainingError
from resonance_engine.training.config.settings import TrainSettings
from resonance_engine.training.learning.device import explain_out_of_memory

TOLD = (
    "Training ran out of memory (cpu); try a smaller train.batch_identities (now 96) or train.views_per_song (now 4) "
    "with more train.accumulate_steps (now 1), train.gradient_checkpointing=true, or cache.preload_ram=false."
)


def test_more_than_any_machine_has() -> None:
    with pytest.raises(TrainingError) as caught, explain_out_of_memory(TrainSettings(), "cpu"):
        torch.empty(2**55)
    assert str(caught.value) == TOLD


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 5.05 GB)"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 4096 bytes."),
        MemoryError(),
    ],
)
def test_what_allocators_say(error: Exception) -> None:
    with pytest.raises(TrainingError) as caught, explain_out_of_memory(TrainSettings(), "cpu"):
        raise error
    assert str(caught.value) == TOLD


def test_another_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes"), explain_out_of_memory(TrainSettings(), "cpu"):
        raise RuntimeError("shapes do not match")
