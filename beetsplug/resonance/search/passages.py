"""Passages of one recording in another, or in all of the library that have dense windows."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from beets.exceptions import UserError

from beetsplug.resonance.config.options import split_query
from beetsplug.resonance.library.items import no_match
from beetsplug.resonance.library.models import Models
from resonance_engine.audio.pipes import seekable_file
from resonance_engine.errors import AudioError, ModelError, printable
from resonance_engine.files import expand_home
from resonance_engine.search.passages import find_passages

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from beets.library import Item

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.search.passages import MatchingPassage
    from resonance_engine.store import DenseWindows, Model


@dataclass(frozen=True)
class SearchedTrack:
    """What is compared: a file, its label, and the content key where it is an analysed item of the library."""

    path: Path
    label: str
    key: bytes | None = None


@dataclass(frozen=True)
class PassageHit:
    """An item of the library, and a passage of the searched recording that it has a similar one of."""

    item: Item
    passage: MatchingPassage


def find_track(sidecar: Sidecar, words: Sequence[str], verb: str) -> SearchedTrack:
    """Return the one track that the words of a query match; UserError for none and for several."""
    items = list(sidecar.library.items(list(words)))
    if not items:
        raise no_match(sidecar.library, f"resonance: {verb}", words)
    if len(items) > 1:
        shown = ", ".join(f"id:{item.id}" for item in items[:3])
        raise UserError(
            f"resonance: {verb} takes a query that one track matches, and {' '.join(words)!r} matches {len(items):,}; "
            f"narrow it, for example to one of {shown}"
        )
    [item] = items
    assert item.id is not None, "an item of a library has an id"
    known = sidecar.store.tracks.get(sidecar.id, [item.id]) if sidecar.exists else {}
    return SearchedTrack(item.filepath, label_item(item), known[item.id].content_key if item.id in known else None)


def find_side(sidecar: Sidecar, text: str) -> SearchedTrack:
    """Return the file, or else the track, that one argument of `compare` names."""
    path = expand_home(text)
    if path.is_file():
        return SearchedTrack(path, printable(path.name))
    if "/" in text and ":" not in text:
        raise UserError(f"resonance: compare takes two files or queries, and there is no file {printable(text)}")
    return find_track(sidecar, split_query(text), "compare")


def label_item(item: Item) -> str:
    """Return what a track is called in lines of output."""
    return format(item, "$artist - $title")


def load_dense(sidecar: Sidecar, model: Model | None, tracks: Sequence[SearchedTrack]) -> list[DenseWindows]:
    """Return the dense windows of tracks: the stored ones, or computed in a worker, which stores nothing.

    By the `model`, or where nothing was analysed by the wanted one. Raises AudioError for the first file that fails,
    and ModelError where the configuration names another model.
    """
    keys = [track.key for track in tracks if track.key is not None]
    stored = sidecar.store.passages.get(keys, model.id) if model is not None and keys else {}
    windows = {track: stored[track.key] for track in tracks if track.key is not None and track.key in stored}
    if fresh := [track for track in dict.fromkeys(tracks) if track not in windows]:
        models = Models(sidecar)
        name = (model and models.name_of(model.id)) or models.wanted
        runtime, settings = sidecar.runtime, sidecar.settings
        workers = min(len(fresh), settings.workers(None))
        with ExitStack() as stack:
            pool = stack.enter_context(closing(runtime.open_dense_pool(models.path(name), workers, settings.timeout)))
            if model is not None and pool.description().id != model.id:
                raise ModelError(
                    f"The file of the model {model.name} was replaced; run `beet resonance analyze` first."
                )
            files = {track: stack.enter_context(seekable_file(track.path)) for track in fresh}
            results = dict(filter(None, pool.embed_dense(dict.fromkeys(files.values()))))
        for track in fresh:
            result = results[files[track]]
            if isinstance(result, AudioError):
                raise AudioError(track.path, result.reason)
            assert result.windows is not None, "no key counts as known"
            windows[track] = result.windows
    return [windows[track] for track in tracks]


def search_passages(
    sidecar: Sidecar, model: Model, searched: SearchedTrack, windows: DenseWindows
) -> tuple[list[PassageHit], int]:
    """Return the passages of a recording in the library's others, by score, and how many tracks were searched."""
    items: dict[bytes, list[int]] = {}
    for track in sidecar.store.tracks.all(sidecar.id).values():
        items.setdefault(track.content_key, []).append(track.item_id)
    hits, count = [], 0
    for key, others in sidecar.store.passages.iterate(model.id):
        if key == searched.key or key not in items:
            continue
        count += len(items[key])
        hits += [(passage, item_id) for passage in find_passages(windows, others) for item_id in items[key]]
    hits.sort(key=lambda hit: (-hit[0].score, hit[1], hit[0].first))
    matches = [(sidecar.library.get_item(item_id), passage) for passage, item_id in hits]
    return [PassageHit(item, passage) for item, passage in matches if item is not None], count
