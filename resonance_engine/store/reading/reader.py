"""All that can be read of a sidecar."""

from __future__ import annotations

from resonance_engine.store.reading.check import CheckReading
from resonance_engine.store.reading.models import ModelReading
from resonance_engine.store.reading.notes import NoteReading
from resonance_engine.store.reading.pairs import PairReading
from resonance_engine.store.reading.tags import TagReading
from resonance_engine.store.reading.tracks import TrackReading
from resonance_engine.store.reading.vectors import VectorReading


class Reader(ModelReading, VectorReading, TagReading, TrackReading, NoteReading, PairReading, CheckReading):
    """The verbs that read, see `Store`: of a file that is only read, or of one that is written as well."""
