"""Paths as settings and options name them."""

from __future__ import annotations

from pathlib import Path


def expanded(path: Path | str) -> Path:
    """The path with `~` and `~name` as homes; the name of nobody stays as it is, as a shell leaves it."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
