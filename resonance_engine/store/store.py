"""The sidecar: everything that is known of recordings, and which items of which libraries hold them."""

from __future__ import annotations

from resonance_engine.store.notes import Notes
from resonance_engine.store.pairs import Pairs
from resonance_engine.store.reading.reader import Reader
from resonance_engine.store.registry import Models
from resonance_engine.store.repair import Repair
from resonance_engine.store.tracks import Tracks
from resonance_engine.store.upkeep import Upkeep
from resonance_engine.store.vectors import Vectors


class Store(Models, Vectors, Tracks, Notes, Pairs, Repair, Upkeep, Reader):
    """What is known of recordings, in one SQLite file; the only truth, of which indexes are copies.

        with Store(path) as store:
            store.register(model)
            library = store.library("home")
            with store.write():
                store.put(content_key, model.id, embedding)
                store.link(library, track)

    The file is opened, or made, at first use. Each verb is a transaction of its own, unless `write()` or
    `read()` groups several; threads may share a store, and processes a file. Every verb raises StoreError, a
    sentence, when the file can't be used.
    """
