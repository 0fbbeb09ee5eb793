"""The sidecar database, the only truth about what was analysed."""

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
