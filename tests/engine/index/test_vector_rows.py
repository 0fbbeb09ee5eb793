"""Halves that are widened to float32: equal to numpy's own conversion, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from resonance_engine.index.vector_rows import widen

EVERY_HALF = np.arange(2**16, dtype=np.uint16).view(np.float16)


def test_every_finite_half() -> None:
    finite = EVERY_HALF[np.isfinite(EVERY_HALF)].reshape(-1, 2)
    assert np.array_equal(widen(finite).view(np.uint32), finite.astype(np.float32).view(np.uint32))


@pytest.mark.parametrize("half", EVERY_HALF[~np.isfinite(EVERY_HALF)][::97])
def test_what_is_no_finite_number_stays_so(half: np.float16) -> None:
    halves = np.array([[0.5, half, -0.25]], np.float16)
    assert np.array_equal(widen(halves), halves.astype(np.float32), equal_nan=True)


def test_no_rows() -> None:
    assert widen(np.empty((0, 512), np.float16)).shape == (0, 512)
