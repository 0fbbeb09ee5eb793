"""Passages of one recording in another, or in all of the library that have dense windows."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from beets.exceptions import UserError

from beetsplug.resonance.config.options import split_query
from beetsplug.resonance.library.items import matching_ids, no_match
from beetsplug.resonance.library.labels import label_item
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.track_rows import all_current_rows, current_rows
from resonance_engine.audio.music_files import SUFFIXES
from resonance_engine.audio.pipes import seekable_file
from resonance_engine.errors import AudioError, ModelError, printable
from resonance_engine.files import expand_home
from resonance_engine.search.passages import find_passages

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from beets.library import Item

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.search.passages import MatchingPassage
    from resonance_engine.store import DenseWindows, Model


@dataclass(frozen=True)
class SearchedTrack:
    """What is compared: a file, its label, and of an item of the library the id, and the content key if analysed."""

    path: Path
    label: str
    item_id: int | None = None
    key: bytes | None = None


@dataclass(frozen=True)
class PassageHit:
    """An item of the library, and a passage of the searched recording that it has a similar one of."""

    item: Item
    passage: MatchingPassage


class PassageSearch(NamedTuple):
    """The passages found, by score, and how many tracks were searched, are too short for windows, or lack them."""

    hits: list[PassageHit]
    searched: int
    short: int
    pending: int


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
    row = current_rows(sidecar, items).get(item.id) if sidecar.exists else None
    return SearchedTrack(item.filepath, label_item(item), item.id, row.content_key if row is not None else None)


def find_side(sidecar: Sidecar, text: str) -> SearchedTrack:
    """Return the file, or else the track, that one argument of `compare` names."""
    path = expand_home(text)
    if path.is_file():
        return SearchedTrack(path, printable(path.name))
    words = split_query(text)
    if is_path_like(text) and not matching_ids(sidecar.library, words):
        raise UserError(f"resonance: compare: there is no file {printable(text)}, and no track matches that as a query")
    return find_track(sidecar, words, "compare")


def is_path_like(text: str) -> bool:
    """Return whether an argument is meant as a path: by a separator or an audio suffix, without a field in front."""
    first, *others = text.split("/")
    return ":" not in first and (bool(others) or os.sep in text or Path(text).suffix.lower() in SUFFIXES)


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
    sidecar: Sidecar,
    model: Model,
    searched: SearchedTrack,
    windows: DenseWindows,
    report: Callable[[int], object] = lambda _: None,
) -> PassageSearch:
    """Search all other recordings of the library that have dense windows for passages of one.

    `report` is called with 1 after each recording that has some.
    """
    items: dict[bytes, list[int]] = {}
    tracks = all_current_rows(sidecar)
    for track in tracks.values():
        items.setdefault(track.content_key, []).append(track.item_id)
    hits, count, stored = [], 0, {searched.key}
    for key, others in sidecar.store.passages.iterate(model.id):
        stored.add(key)
        report(1)
        if key == searched.key or key not in items:
            continue
        count += len(items[key])
        hits += [(passage, item_id) for passage in find_passages(windows, others) for item_id in items[key]]
    hits.sort(key=lambda hit: (-hit[0].score, hit[1], hit[0].first))
    matches = [(sidecar.library.get_item(item_id), passage) for passage, item_id in hits]
    found = [PassageHit(item, passage) for item, passage in matches if item is not None]
    with_windows = {item_id for item_id, track in tracks.items() if track.content_key in stored}
    return PassageSearch(found, count, *count_others(sidecar, {searched.item_id, *with_windows}, windows.length))


def count_others(sidecar: Sidecar, item_ids: Collection[int | None], seconds: float) -> tuple[int, int]:
    """Count the library's items without those given: how many are shorter than so many seconds, and how many not."""
    with sidecar.library.transaction() as transaction:
        rows = transaction.query("SELECT id, length FROM items")
    is_short = [0 < (row["length"] or 0) < seconds for row in rows if row["id"] not in item_ids]
    return sum(is_short), len(is_short) - sum(is_short)
