"""Resolve the seeds of a request: tracks of the library, files and passages, and negative seeds."""

from __future__ import annotations

import shlex
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from beets.exceptions import UserError

from beetsplug.resonance.library.item_query import no_match
from beetsplug.resonance.library.metadata import metadata_of
from beetsplug.resonance.library.models import Models
from resonance_engine.errors import AudioError, ModelError, printable
from resonance_engine.search.explain import TrackProfile
from resonance_engine.search.selection import SeedRecordings
from resonance_engine.search.versions import TrackMetadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beets.library import Item
    from numpy.typing import NDArray

    from beetsplug.resonance.search.request import SearchRequest
    from beetsplug.resonance.search.session import SearchSession

    Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FileSeed:
    """Embedding (d,) and profile of a file, or of a passage of it, by the library's model.

    `key` is the content key of the whole file: an item of the library with that key is the same recording.
    """

    path: Path
    key: bytes
    embedding: Vectors
    profile: TrackProfile


@dataclass(frozen=True)
class Seeds:
    """Seeds of a search: `items` of the library with their `ids`, vector ids in the same order, and analysed `files`.

    Of an item whose passage is the seed, `files` holds the analysis; its id keeps it out of the list. `negative_ids`
    are the vector ids of negative seeds. `notes` name the files that are tracks of the library.
    """

    items: Sequence[Item] = ()
    ids: Sequence[int] = ()
    files: Sequence[FileSeed] = ()
    passage: bool = False
    negative_ids: Sequence[int] = ()
    notes: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.ids or self.files)

    def stored_ids(self) -> list[int]:
        """Return the vector ids of seeds that count as they are stored, each once."""
        return [] if self.passage else list(dict.fromkeys(self.ids))

    def vectors(self, session: SearchSession) -> Vectors:
        """Return the embeddings of the seeds, (s, d): first those of `stored_ids`, then the files'."""
        files = [seed.embedding[None, :] for seed in self.files]
        return np.concatenate([session.index.vectors(self.stored_ids()), *files])

    def profiles(self, session: SearchSession) -> list[TrackProfile]:
        """Return the profiles of the seeds, in the order of `vectors`."""
        ids = self.stored_ids()
        stored = load_profiles(session, ids)
        return [*(stored[each] for each in ids), *(seed.profile for seed in self.files)]

    def recordings(self, session: SearchSession) -> SeedRecordings:
        """Return the recordings whose versions are kept out of the list."""
        item_ids = [item.id for item in self.items if item.id is not None]
        metadata = metadata_of(session.sidecar.library, item_ids)
        # A file has no metadata, only its sound; a passage is not the sound of a recording.
        files = [] if self.passage else [seed.embedding[None, :] for seed in self.files]
        tracks = [metadata[each] for each in item_ids] + [TrackMetadata() for _ in files]
        return SeedRecordings(tracks, np.concatenate([session.index.vectors(self.ids), *files]))


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
    seeds = Seeds(items, ids, passage=passage is not None, negative_ids=negative_ids)
    paths = [Path(each).expanduser() for each in request.files]
    if passage is not None:
        if len(items) + len(paths) != 1:
            named = f"{len(items) + len(paths):,} are" if items or paths else "none is"
            raise UserError(f"{command}: --at is a passage of one track, and {named} named")
        paths = paths or [items[0].filepath]
    return with_files(session, seeds, analyse_files(session, paths, passage)) if paths else seeds


def resolve_query(session: SearchSession, query: Sequence[str], command: str) -> tuple[list[Item], list[int]]:
    """Return the analysed items that a query matches, with their vector ids; UserError where there are none."""
    items = list(session.sidecar.library.items(list(query)))
    if not items:
        raise no_match(command, query)
    vector_ids = session.vector_ids(items)
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


def with_files(session: SearchSession, seeds: Seeds, files: Sequence[FileSeed]) -> Seeds:
    """Add analysed files to seeds; where the library has the sound of one, its track is the seed."""
    keys = {seed.key for seed in files}
    tracks = session.store.tracks.all(session.sidecar.id).items()
    sounds = {item_id: track.content_key for item_id, track in tracks if track.content_key in keys}
    items = session.items(set(sounds))
    ids = session.vector_ids(items)
    own = {item.id: item for item in items if item.id in ids}
    known = {sounds[each]: own[each] for each in sorted(own, reverse=True)}  # of several files, the first
    # A query that names a track needs no note that the library has it.
    named = [] if seeds.items else [(seed.path, known[seed.key]) for seed in files if seed.key in known]
    return replace(
        seeds,
        items=[*seeds.items, *own.values()],
        ids=[*seeds.ids, *(ids[each] for each in own)],
        files=files if seeds.passage else [seed for seed in files if seed.key not in known],
        notes=[f"{printable(path)} is in the library: {item.artist} - {item.title}" for path, item in named],
    )


def analyse_files(
    session: SearchSession, paths: Sequence[Path], passage: tuple[float, float] | None = None
) -> list[FileSeed]:
    """Analyse files, or the same passage (seconds) of each, with the model that the library is searched with.

    One worker analyses all of them, one after another. Raises ModelError where the configuration names another model
    than the library's, ConfigError for an invalid passage, and AudioError for the first file that cannot be analysed,
    also because it ends before the passage does.
    """
    if passage is not None:
        from resonance_engine.audio.passage import make_passage

        make_passage(*passage)  # before a model is loaded
    if not paths:
        return []
    models = Models(session.sidecar)
    name = models.name_of(session.model.id) or models.wanted
    with closing(models.open_pool(name)) as pool:
        model = pool.description()
        if model.id != session.model.id:
            raise ModelError(
                f"The library is analysed with the model {session.model.name} {session.model.version}, the "
                f"configuration names {model.name} {model.version}; run `beet resonance analyze` to switch."
            )
        results = dict(filter(None, pool.analyse(dict.fromkeys(paths), passage=passage)))
        seeds = []
        for path in paths:
            file = results[path]
            if isinstance(file, AudioError):
                raise file
            embedding, analysis = file.embedding, file.analysis
            assert embedding is not None, "no key counts as known"
            assert analysis is not None, "what is embedded is measured"
            profile = TrackProfile(embedding.facets, embedding.gates, analysis.attributes, embedding.tags)
            seeds.append(FileSeed(file.path, file.key, embedding.vector, profile))
        return seeds


def load_profiles(session: SearchSession, vector_ids: Sequence[int]) -> dict[int, TrackProfile]:
    """Load the profiles of the recordings behind vector ids."""
    store, model = session.store, session.model
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
