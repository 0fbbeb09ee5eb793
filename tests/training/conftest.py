"""PyTorch on one core: for networks this small, more only wait for each other."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def _one_core() -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
