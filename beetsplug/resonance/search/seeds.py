"""What a list starts from: tracks of the library, files, passages; and what was heard in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from beets.exceptions import UserError

from beetsplug.resonance.library.metadata import metadata_of
from beetsplug.resonance.search.file_seeds import file_seeds
from beetsplug.resonance.search.session import seeds_of
from resonance_engine.errors import printable
from resonance_engine.search.explain import TrackProfile
from resonance_engine.search.selection import SeedRecordings
from resonance_engine.search.versions import TrackMetadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beets.library import Item
    from numpy.typing import NDArray

    from beetsplug.resonance.search.file_seeds import FileSeed
    from beetsplug.resonance.search.request import SearchRequest
    from beetsplug.resonance.search.session import SearchSession

    Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Seeds:
    """Seeds: `items` of the library with their `ids`, vector ids in the same order, and `files` that were listened to.

    Of an item whose passage is the seed, `files` holds what was heard of it; its id keeps it out of the list. `notes`
    say which files are tracks of the library.
    """

    items: Sequence[Item] = ()
    ids: Sequence[int] = ()
    files: Sequence[FileSeed] = ()
    passage: bool = False
    notes: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.ids or self.files)

    def known(self) -> list[int]:
        """The vector ids of seeds that count as they are stored, each once."""
        return [] if self.passage else list(dict.fromkeys(self.ids))

    def vectors(self, search: SearchSession) -> Vectors:
        """The embeddings of the seeds, (s, d): first those of `known`, then the files'."""
        return np.concatenate([search.index.vectors(self.known()), *(seed.embedding[None, :] for seed in self.files)])

    def profiles(self, search: SearchSession) -> list[TrackProfile]:
        """What was heard in the seeds, in the order of `vectors`."""
        known = self.known()
        found = load_profiles(search, known)
        files = [TrackProfile(seed.facets, seed.gates, seed.attributes, seed.tags) for seed in self.files]
        return [*(found[each] for each in known), *files]

    def described(self, search: SearchSession) -> SeedRecordings:
        """What keeps versions of the seeds out of the list."""
        item_ids = [item.id for item in self.items if item.id is not None]
        found = metadata_of(search.sidecar.library, item_ids)
        # Of a file nothing is known but its sound; a passage sounds like nothing as a whole.
        files = [] if self.passage else [seed.embedding[None, :] for seed in self.files]
        described = [found[each] for each in item_ids] + [TrackMetadata() for _ in files]
        return SeedRecordings(described, np.concatenate([search.index.vectors(self.ids), *files]))


def resolve_seeds(search: SearchSession, wish: SearchRequest, command: str) -> Seeds:
    """The seeds of a wish, without those that it says to keep away from.

    A file with the sound of a track of the library is that track. Raises UserError for a query without analysed
    matches, and AudioError for a bad file.
    """
    passage = wish.passage
    items, ids = seeds_of(search, list(wish.query), command) if wish.query else ([], [])
    if away := {*negative_vector_ids(search, wish, command)} if ids else set():
        pairs = [(item, each) for item, each in zip(items, ids, strict=True) if each not in away]
        if not pairs:
            raise UserError(f"{command}: --not names every track to start from")
        items, ids = [item for item, _ in pairs], [each for _, each in pairs]
    paths = [Path(each).expanduser() for each in wish.files]
    if passage is not None:
        if len(items) + len(paths) != 1:
            named = f"{len(items) + len(paths):,} are" if items or paths else "none is"
            raise UserError(f"{command}: --at is a passage of one track, and {named} named")
        paths = paths or [items[0].filepath]
    return with_files(search, Seeds(items, ids, passage=passage is not None), file_seeds(search, paths, passage))


def with_files(search: SearchSession, start: Seeds, files: Sequence[FileSeed]) -> Seeds:
    """The seeds and what was heard in files; where the library has the sound of one, its track is the seed."""
    if not files:
        return start
    sidecar = search.sidecar
    keys = {seed.key for seed in files}
    tracks = sidecar.store.tracks.all(sidecar.id).items()
    sounds = {item_id: track.content_key for item_id, track in tracks if track.content_key in keys}
    items = list(search.items(set(sounds)))
    ids = search.vectors_of(items)
    own = {item.id: item for item in items if item.id in ids}
    known = {sounds[each]: own[each] for each in sorted(own, reverse=True)}  # of several files, the first
    # Whoever names a track by a query knows that it is there.
    named = [] if start.items else [(seed.path, known[seed.key]) for seed in files if seed.key in known]
    return replace(
        start,
        items=[*start.items, *own.values()],
        ids=[*start.ids, *(ids[each] for each in own)],
        files=files if start.passage else [seed for seed in files if seed.key not in known],
        notes=[f"{printable(path)} is in the library: {item.artist} - {item.title}" for path, item in named],
    )


def negative_vector_ids(search: SearchSession, wish: SearchRequest, command: str) -> list[int]:
    """The vector ids of the negative seeds, those of each of the queries."""
    return seeds_of(search, list(wish.avoid), f"{command} --not")[1] if wish.avoid else []


def load_profiles(search: SearchSession, vector_ids: Sequence[int]) -> dict[int, TrackProfile]:
    """What was heard in the recordings behind vector ids."""
    store, model = search.sidecar.store, search.model
    keys = store.vectors.content_keys(vector_ids)
    recordings = set(keys.values())
    facets = {name: store.vectors.get(recordings, model.id, name) for name in model.modalities}
    gates, analyses = store.vectors.gates(recordings, model.id), store.analyses.get(recordings)
    tags = store.tags.get(recordings, model.id)
    return {
        vector_id: TrackProfile(
            {name: vectors[key] for name, vectors in facets.items() if key in vectors},
            gates.get(key, {}),
            analyses[key].attributes if key in analyses else {},
            tags.get(key, {}),
        )
        for vector_id, key in keys.items()
    }
