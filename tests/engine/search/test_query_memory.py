"""Thousands of queries leave nothing behind."""

from __future__ import annotations

import pytest

from tests.memory_growth import MEGABYTE, growth


@pytest.mark.rest
def test_memory_stays_flat() -> None:
    forgotten, kept = growth("queries", 2000)
    assert forgotten < MEGABYTE / 2
    assert kept > MEGABYTE  # 10 KB each: the check sees what is kept
