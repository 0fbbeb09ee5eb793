"""Which device computes, and how precisely, on machines that only the test knows."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch

from resonance_engine.errors import TrainingError
from resonance_engine.training.learning import device as devices
from resonance_engine.training.learning.device import (
    Precision,
    choose_device,
    choose_precision,
    select_device,
)

NOTHING, NVIDIA, APPLE = ("cpu",), ("cuda", "cpu"), ("mps", "cpu")


@pytest.mark.parametrize(
    ("name", "machine", "kind"),
    [
        ("auto", NOTHING, "cpu"),
        ("auto", NVIDIA, "cuda"),
        ("auto", APPLE, "mps"),
        ("auto", ("cuda", "mps", "cpu"), "cuda"),
        ("cpu", NVIDIA, "cpu"),
        ("cuda", NVIDIA, "cuda"),
        ("mps", APPLE, "mps"),
    ],
)
def test_the_device_of_a_name(name: str, machine: tuple[str, ...], kind: str) -> None:
    assert choose_device(name, machine) == kind


@pytest.mark.parametrize(
    ("name", "machine", "told"),
    [
        ("cuda", NOTHING, "cuda was asked for, but PyTorch finds no NVIDIA GPU; install a CUDA build of torch"),
        ("cuda", APPLE, "no NVIDIA GPU"),
        ("mps", NVIDIA, "mps was asked for, but PyTorch finds no Apple GPU; use --device auto"),
        ("gpu", NVIDIA, "The device is 'gpu'; expected one of auto, cpu, cuda, mps."),
    ],
)
def test_an_absent_device_is_a_sentence(name: str, machine: tuple[str, ...], told: str) -> None:
    with pytest.raises(TrainingError, match=told):
        choose_device(name, machine)


def test_each_process_of_a_machine_has_its_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "find_devices", lambda: NVIDIA)
    assert [select_device("auto", rank) for rank in range(2)] == [torch.device("cuda", 0), torch.device("cuda", 1)]
    monkeypatch.setattr(devices, "find_devices", lambda: APPLE)
    assert select_device("auto", 1) == torch.device("mps")


@pytest.mark.parametrize(
    ("kind", "use_amp", "bfloat16", "dtype", "told"),
    [
        ("cuda", True, True, torch.bfloat16, "mixed precision with bfloat16"),
        ("cuda", True, False, torch.float16, "mixed precision with float16"),
        ("cuda", False, True, None, "float32"),
        ("cpu", True, False, None, "float32"),
        ("mps", True, False, None, "float32"),
    ],
)
def test_mixed_precision_where_the_device_has_it(
    kind: str, use_amp: bool, bfloat16: bool, dtype: torch.dtype | None, told: str
) -> None:
    found = choose_precision(kind, use_amp, bfloat16)
    assert found == Precision(kind, dtype)
    assert str(found) == told


def test_only_float16_needs_the_loss_scaled() -> None:
    scaled = {dtype: Precision("cpu", dtype).scaler().is_enabled() for dtype in (None, torch.bfloat16, torch.float16)}
    assert scaled == {None: False, torch.bfloat16: False, torch.float16: True}
