"""What is read of the sidecar, in plain SQL: for queries, which have no time to load what writing needs."""

from resonance_engine.store.reading.file import open_reader
from resonance_engine.store.reading.reader import Reader

__all__ = ["Reader", "open_reader"]
