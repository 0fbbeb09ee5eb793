"""A library opened for searching: its indexes, the items behind vectors, and the seeds of a request."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from beets.exceptions import UserError

from beetsplug.resonance.library.items import metadata_of, no_match, query_items, select_items, select_rows
from beetsplug.resonance.library.labels import label_item
from beetsplug.resonance.library.sidecar import file_state
from beetsplug.resonance.library.track_rows import current_rows
from beetsplug.resonance.search.stored_voices import StoredVoices
from resonance_engine.errors import StoreError, printable
from resonance_engine.files import expand_home
from resonance_engine.index.files import open_index
from resonance_engine.search.explain import TrackProfile
from resonance_engine.search.names import TrackMetadata
from resonance_engine.search.selection import SeedRecordings
from resonance_engine.store import EMBEDDING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from beets.library import Item
    from numpy.typing import NDArray

    from beetsplug.resonance.library.sidecar import ItemRow, Sidecar
    from beetsplug.resonance.search.file_seeds import FileSeed
    from beetsplug.resonance.search.request import SearchRequest
    from resonance_engine.index.files import VectorIndex
    from resonance_engine.store import Model, Store
    from resonance_engine.store.records import Windows

    Vectors = NDArray[np.float32]

MOST_WINDOWS = 2_000  # recordings whose windows are kept, some 8 kB each
MOST_TRACKS = 50_000  # recordings whose metadata are kept, some 1 kB each


class SearchSession:
    """A library opened for searching; raises StoreError where its data cannot be read.

    The indexes of a `previous` session are reused where the store has not changed since.
    """

    def __init__(self, sidecar: Sidecar, model: Model, previous: SearchSession | None = None) -> None:
        self.sidecar = sidecar
        self.store = sidecar.store
        self.model = model
        # What left the library stays in the store, and must not count among what is near to everything.
        self._unlinked = self.store.vectors.unlinked_embeddings(sidecar.id, model.id)
        self._state = model.id, self.store.generation, self._unlinked
        reusable = previous is not None and previous._state == self._state
        self._indexes: dict[str, VectorIndex] = previous._indexes if previous and reusable else {}
        self.index = self.facet(EMBEDDING)
        self._windows: dict[int, Windows | None] = {}
        self._metadata: dict[int, dict[int, TrackMetadata]] = {}
        self.voices = StoredVoices(self.store, model)

    def facet(self, name: str) -> VectorIndex:
        """Return the index of a facet, under the ids of the embeddings."""
        if name not in self._indexes:
            # Of five facets, of which each is searched once, the files together would take too much memory.
            setting, resident = self.sidecar.settings.index, name == EMBEDDING
            index = open_index(self.store, self.model.id, self.sidecar.index_folder, name, setting, resident)
            if len(self._unlinked):
                index.remove(self._unlinked)
            if not np.isfinite(index.moments.total).all():
                raise StoreError("The data of a track is damaged; run `beet resonance check --repair`.")
            self._indexes[name] = index
        return self._indexes[name]

    def current_items(self, vector_ids: Sequence[int]) -> dict[int, list[int]]:
        """Return the ids of the library's items behind vectors, without those whose row means another item."""
        behind = self.store.tracks.by_vector(self.sidecar.id, vector_ids)
        tracks = {track.item_id: track for rows in behind.values() for track in rows}
        rows = select_rows(self.sidecar.library, "SELECT id, added FROM items WHERE id IN", tracks)
        current = {row["id"]: row["added"] == tracks[row["id"]].added for row in rows}
        # To make a path takes longer than all this, and only where the date was changed is there a doubt.
        if doubtful := [item_id for item_id, is_same in current.items() if not is_same]:
            current |= dict.fromkeys(self.current(self.sidecar.rows_by_id(doubtful)), True)
        items = {each: [row.item_id for row in rows if current.get(row.item_id)] for each, rows in behind.items()}
        return {each: item_ids for each, item_ids in items.items() if item_ids}

    def metadata(self, vector_ids: Sequence[int]) -> dict[int, dict[int, TrackMetadata]]:
        """Return the metadata of the library's items behind vectors, by vector id and item id; each is read once."""
        kept = self._metadata
        new = [each for each in vector_ids if each not in kept]
        if new:
            items = self.current_items(new)
            tracks = metadata_of(self.sidecar.library, {item for same in items.values() for item in same})
            kept |= {each: {item: tracks[item] for item in items.get(each, ()) if item in tracks} for each in new}
            if len(kept) > MOST_TRACKS:
                self._metadata = {}  # another, for other threads may be reading the full one
        return {each: kept[each] for each in vector_ids}

    def searchable_vectors(self, item_ids: Collection[int]) -> dict[int, int]:
        """Return the vector ids of items, by item id, without those that are not analysed or mean another item now."""
        current = self.current(self.sidecar.rows_by_id(item_ids))
        vectors = self.store.tracks.vector_ids(self.sidecar.id, current, self.model.id)
        has_vector = self.index.has(vectors.values())
        return {item_id: vector for (item_id, vector), has in zip(vectors.items(), has_vector, strict=True) if has}

    def first_with_file(self, item_ids: Sequence[int]) -> int:
        """Return the first of some items whose file is there, for items of one sound; the first where none is."""
        if len(item_ids) == 1:
            return item_ids[0]
        paths = {row.id: row.path for row in self.sidecar.rows_by_id(item_ids)}
        return next((each for each in item_ids if each in paths and file_state(paths[each])), item_ids[0])

    def attributes(self, vector_ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
        """Return the measured attributes of the recordings behind vectors, where there are any."""
        keys = self.store.vectors.content_keys(vector_ids)
        analyses = self.store.analyses.get(set(keys.values()))
        return {each: analyses[key].attributes for each, key in keys.items() if key in analyses}

    def windows(self, vector_id: int) -> Windows | None:
        """Return the windows of the recording behind a vector; None where the store has none."""
        if vector_id in self._windows:
            return self._windows[vector_id]
        keys = self.store.vectors.content_keys([vector_id]).values()
        windows = next(iter(self.store.vectors.windows(keys, self.model.id).values()), None)
        # A new dictionary in the place of a full one: other threads may be reading that.
        kept = self._windows if len(self._windows) < MOST_WINDOWS else {}
        kept[vector_id] = windows
        self._windows = kept
        return windows

    def current(self, items: Iterable[Item | ItemRow]) -> set[int]:
        """Return the ids of items that the store knows and means; beets reuses an id when its item is gone."""
        return {*current_rows(self.sidecar, items)}


@contextmanager
def open_session(sidecar: Sidecar, previous: SearchSession | None = None) -> Iterator[SearchSession]:
    """Open a library, of which something is embedded, as it is at one moment, whatever is written meanwhile."""
    model = sidecar.model
    assert model is not None, "something is embedded, so there is a model"
    _ = sidecar.id  # where it has to be noted first, that cannot be done while reading
    with sidecar.store.read():
        yield SearchSession(sidecar, model, previous)


@dataclass(frozen=True, eq=False)
class Seeds:
    """Seeds of a search: `items` of the library with their `ids`, vector ids in the same order, and analysed `files`.

    Of an item whose passage is the seed, `files` holds the analysis; its id keeps it out of the list. `stored` are the
    vector ids of seeds that count as they are stored, each once; `vectors` (s, d) are their embeddings, then the
    files'. `negative_ids` are the vector ids of negative seeds. `notes` name the files that are tracks of the library.
    """

    items: Sequence[Item]
    ids: Sequence[int]
    files: Sequence[FileSeed]
    passage: bool
    stored: Sequence[int]
    vectors: Vectors
    negative_ids: Sequence[int]
    notes: Sequence[str]

    def profiles(self, session: SearchSession) -> list[TrackProfile]:
        """Return the profiles of the seeds, in the order of `vectors`."""
        keys = session.store.vectors.content_keys(self.stored)
        profiles = load_profiles(session.store, session.model, set(keys.values()))
        return [*(profiles[keys[each]] for each in self.stored), *(seed.profile for seed in self.files)]

    def recordings(self, session: SearchSession) -> SeedRecordings:
        """Return the recordings whose versions are kept out of the list."""
        metadata = session.metadata(self.ids)
        pairs = zip(self.items, self.ids, strict=True)
        tracks = [metadata[each].get(item.id or 0, TrackMetadata()) for item, each in pairs]
        files: Sequence[FileSeed] = () if self.passage else self.files  # a passage is not the sound of a recording
        vectors = np.concatenate([session.index.vectors(self.ids), *(seed.embedding[None, :] for seed in files)])

        def load_windows(place: int) -> Windows | None:
            count = len(self.ids)
            return session.windows(self.ids[place]) if place < count else files[place - count].windows

        return SeedRecordings([*tracks, *(TrackMetadata() for _ in files)], vectors, load_windows)


def resolve_seeds(session: SearchSession, request: SearchRequest, command: str) -> Seeds:
    """Resolve the seeds of a request, without those that are negative seeds, too; `command` begins errors.

    A file with the sound of a track of the library is that track. Raises UserError for a query without analysed
    matches, and AudioError for a bad file.
    """
    passage = request.passage
    items, ids = resolve_query(session, request.query, command) if request.query else ([], [])
    negative_ids = resolve_query(session, request.avoid, f"{command} --not")[1] if request.avoid else []
    if ids and negative_ids:
        negative = {*negative_ids}
        pairs = [(item, each) for item, each in zip(items, ids, strict=True) if each not in negative]
        if not pairs:
            raise UserError(f"{command}: --not names every track to start from")
        items, ids = [item for item, _ in pairs], [each for _, each in pairs]
    paths = [expand_home(each) for each in request.files]
    if passage is not None:
        if request.analysed:
            raise UserError(f"{command}: --at is a passage of a file, which has to be sent with the search")
        if len(items) + len(paths) != 1:
            named = f"{len(items) + len(paths):,} are" if items or paths else "none is"
            raise UserError(f"{command}: --at is a passage of one track, and {named} named")
        paths = paths or [items[0].filepath]
    files = list(request.analysed)
    notes: list[str] = []
    if paths:
        from beetsplug.resonance.search.file_seeds import analyse_files

        files += analyse_files(session.sidecar, session.model, paths, passage)
    if files:
        known = items_with_sounds(session, {seed.key for seed in files})
        # A query that names a track needs no note that the library has it.
        new = [] if items else [(seed.path, known[seed.key][0][0]) for seed in files if seed.key in known]
        notes = [f"{printable(path)} is in the library: {label_item(item)}" for path, item in new]
        files = [seed for seed in files if passage is not None or seed.key not in known]
        pairs = [pair for same in known.values() for pair in same]
        items, ids = [*items, *(item for item, _ in pairs)], [*ids, *(vector_id for _, vector_id in pairs)]
    stored = [] if passage is not None else list(dict.fromkeys(ids))
    vectors = np.concatenate([session.index.vectors(stored), *(seed.embedding[None, :] for seed in files)])
    return Seeds(items, ids, files, passage is not None, stored, vectors, negative_ids, notes)


def items_with_sounds(session: SearchSession, content_keys: Collection[bytes]) -> dict[bytes, list[tuple[Item, int]]]:
    """Return the items of the library, with their vector ids, that have some sounds, by content key, in order of id."""
    tracks = session.store.tracks.all(session.sidecar.id).items()
    keys = {item_id: track.content_key for item_id, track in tracks if track.content_key in content_keys}
    items: dict[int, Item] = {
        item.id: item for item in select_items(session.sidecar.library, keys) if item.id is not None
    }
    current = session.current(items.values())
    vector_ids = session.store.tracks.vector_ids(session.sidecar.id, current, session.model.id)
    known: dict[bytes, list[tuple[Item, int]]] = {}
    for item_id in sorted(vector_ids):
        known.setdefault(keys[item_id], []).append((items[item_id], vector_ids[item_id]))
    return known


def resolve_query(session: SearchSession, query: Sequence[str], command: str) -> tuple[list[Item], list[int]]:
    """Return the analysed items that a query matches, with their vector ids; UserError where there are none."""
    items = list(query_items(session.sidecar.library, query))
    if not items:
        raise no_match(session.sidecar.library, command, query)
    vector_ids = session.store.tracks.vector_ids(session.sidecar.id, session.current(items), session.model.id)
    analysed = [item for item in items if item.id in vector_ids]
    if not analysed:
        one = len(items) == 1
        which = "the track that matches" if one else f"none of the {len(items):,} tracks that match"
        failures = session.store.failures.all(session.sidecar.id)
        if all(item.path in failures for item in items):
            reason = f": {failures[items[0].path].reason}" if one else ", see `beet resonance status`"
            raise UserError(f"{command}: {which} could{' not' if one else ''} be analysed{reason}")
        state = "is not" if one else "is"
        raise UserError(f"{command}: {which} {state} analysed yet; run `beet resonance analyze {shlex.join(query)}`")
    return analysed, [vector_ids[item.id] for item in analysed if item.id is not None]


def load_profiles(store: Store, model: Model, content_keys: Collection[bytes]) -> dict[bytes, TrackProfile]:
    """Load the profiles of recordings, by content key."""
    facets = {name: store.vectors.get(content_keys, model.id, name) for name in model.modalities}
    gates, analyses = store.vectors.gates(content_keys, model.id), store.analyses.get(content_keys)
    tags = store.tags.get(content_keys, model.id)
    return {
        key: TrackProfile(
            {name: vectors[key] for name, vectors in facets.items() if key in vectors},
            gates.get(key, {}),
            analyses[key].attributes if key in analyses else {},
            tags.get(key, {}),
        )
        for key in content_keys
    }
