"""The sidecar database, the only truth about what was analysed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resonance_engine.store.records import (
    EMBEDDING,
    Analysis,
    Changes,
    Counts,
    Embedding,
    Failure,
    Model,
    TrackRow,
    Windows,
)

if TYPE_CHECKING:
    from resonance_engine.store.store import Store

__all__ = [
    "EMBEDDING",
    "Analysis",
    "Changes",
    "Counts",
    "Embedding",
    "Failure",
    "Model",
    "Store",
    "TrackRow",
    "Windows",
]


def __getattr__(name: str) -> Any:
    """`Store`, when it is first asked for: it loads SQLAlchemy, which queries have no time for."""
    if name != "Store":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from resonance_engine.store.store import Store

    return Store
