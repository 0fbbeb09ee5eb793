"""The sidecar database, the only truth about what was analysed.

In: embeddings, analyses and failures by content key, tracks by library and item id. Out: the same, as vectors,
matrices and records of one snapshot. One module per table; SQL stays in here, and SQLAlchemy in `writer` and what
that imports, which reading never loads.
"""

from resonance_engine.store.models import Model
from resonance_engine.store.records import (
    EMBEDDING,
    Analysis,
    Changes,
    Counts,
    DenseWindows,
    Embedding,
    Failure,
    LibraryRow,
    TrackRow,
    Windows,
)
from resonance_engine.store.store import Store

__all__ = [
    "EMBEDDING",
    "Analysis",
    "Changes",
    "Counts",
    "DenseWindows",
    "Embedding",
    "Failure",
    "LibraryRow",
    "Model",
    "Store",
    "TrackRow",
    "Windows",
]
