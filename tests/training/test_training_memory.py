"""Hundreds of training steps leave nothing behind."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from tests.memory_growth import MEGABYTE, growth


@pytest.mark.slow
def test_memory_stays_flat() -> None:
    forgotten, kept = growth("training", 200)
    assert forgotten < 1.5 * MEGABYTE
    assert kept > 2 * MEGABYTE  # 47 KB each, twice: the check sees what is kept
