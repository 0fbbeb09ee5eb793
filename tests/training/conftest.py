"""PyTorch on one core: for networks this small, more only wait for each other."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(scope="session", autouse=True)
def _one_core() -> None:
    if "torch" in sys.modules:  # settings, songs and splits are tested without it
        sys.modules["torch"].set_num_threads(1)
