"""Folders that tests read: the checkout, and the files of `tests/data`."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
