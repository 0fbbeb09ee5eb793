"""A cache of the stored analysis of items, read in growing batches while beets lists them."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from beetsplug.resonance.library.items import select_items
from beetsplug.resonance.library.sidecar import Sidecar, file_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from beets.library import Item, Library

    from beetsplug.resonance.config.settings import Settings
    from resonance_engine.store import Store

T = TypeVar("T")

FIRST_SPAN = 4  # ids on either side of the first item that is read
GROWTH = 4
# Tags that say that nobody sings, and that somebody does.
INSTRUMENTAL, SUNG = frozenset(["instrumental"]), frozenset(["singing", "choir"])
FRESH_SECONDS = 10.0  # a server that runs for days shall notice what another process analysed


class CachedEntry(NamedTuple, Generic[T]):
    """The stored value of an item, and the state of the row and file that it was linked to."""

    added: float
    size: int
    mtime_ns: int
    value: T

    def is_current(self, item: Item) -> bool:
        """Whether the item is still the analysed one; beets reuses ids."""
        return self.added == item.added or file_state(item.path) == (self.size, self.mtime_ns)


class AnalysisCache(Generic[T]):
    """A cache of stored analysis by item; `load` reads it from the store by content key.

    A list of thousands costs a handful of reads, one item a small one: neighbours in a list are mostly neighbours by
    id, so each read takes in four times as many ids around the item as the one before.
    """

    def __init__(
        self, load: Callable[[Store, set[bytes]], Mapping[bytes, T]], settings: Settings | None = None
    ) -> None:
        self._load = load
        self._settings = settings
        self.clear()

    def clear(self) -> None:
        """Forget everything, as after an import."""
        self._library: Library | None = None
        self._entries: dict[int, CachedEntry[T] | None] = {}
        self._is_complete = False
        self._span = FIRST_SPAN
        self._since = 0.0

    def get(self, item: Item) -> T | None:
        """Return the value of an item; None where it is not analysed. Raises StoreError."""
        library, item_id = item._db, item.id  # an item of no library has neither
        if library is None or item_id is None:
            return None
        self._expire(library)
        if item_id not in self._entries and not self._is_complete:
            around = range(max(1, item_id - self._span), item_id + self._span + 1)
            entries = self._read(library, around)
            self._entries |= {number: entries.get(number) for number in around}
            self._span *= GROWTH
        entry = self._entries.get(item_id)
        return entry.value if entry is not None and entry.is_current(item) else None

    def get_all(self, library: Library) -> dict[int, T]:
        """Return the values of all analysed items, by id. Raises StoreError."""
        self._expire(library)
        if not self._is_complete:
            self._entries, self._is_complete = {**self._read(library)}, True
        entries = {item_id: entry for item_id, entry in self._entries.items() if entry is not None}
        return current_values(library, entries)

    def _expire(self, library: Library) -> None:
        """Forget what may be out of date."""
        if library is not self._library or time.monotonic() - self._since > FRESH_SECONDS:
            self.clear()
            self._library, self._since = library, time.monotonic()

    def _read(self, library: Library, item_ids: Iterable[int] | None = None) -> dict[int, CachedEntry[T]]:
        """Read the entries of some items, or of all; none, and no file is created, where nothing was ever stored."""
        sidecar = Sidecar(library, self._settings)
        if not sidecar.exists:
            return {}
        with closing(sidecar):
            number = sidecar.id  # is registered where the store has none yet, which a read must not
            with sidecar.store.read():
                store = sidecar.store
                tracks = store.tracks.all(number) if item_ids is None else store.tracks.get(number, item_ids)
                values = self._load(store, {track.content_key for track in tracks.values()})
        return {
            item_id: CachedEntry(track.added, track.size, track.mtime_ns, values[track.content_key])
            for item_id, track in tracks.items()
            if track.content_key in values
        }


def current_values(library: Library, entries: Mapping[int, CachedEntry[T]]) -> dict[int, T]:
    """Return the values of those items that are still the analysed ones, by id."""
    with library.transaction() as transaction:
        rows = transaction.query("SELECT id, added FROM items")
    added = {row["id"]: row["added"] for row in rows if row["id"] in entries}
    values = {item_id: entries[item_id].value for item_id, date in added.items() if date == entries[item_id].added}
    doubtful = [item_id for item_id in added if item_id not in values]
    for item in select_items(library, doubtful):
        if item.id is not None and entries[item.id].is_current(item):
            values[item.id] = entries[item.id].value
    return values


def load_attributes(store: Store, content_keys: set[bytes]) -> dict[bytes, Mapping[str, Any]]:
    """Load the measured attributes of recordings: tempo, key, energy, brightness; see `features.attributes`."""
    return {key: analysis.attributes for key, analysis in store.analyses.get(content_keys).items()}


def load_tags(store: Store, content_keys: set[bytes]) -> dict[bytes, Mapping[str, Any]]:
    """Load what the tags of the active model tell of recordings: "tags" as a text, "speech" and "vocals".

    "speech" (0 to 1) and "vocals" (see `voice.VOCALS`) are there for a model whose tags tell voices.
    """
    from resonance_engine.search.text.shown_tags import likeliest_tags, sure_tags, thresholded_tags
    from resonance_engine.search.voice import VOCALS, VOICE_TAGS, detect_voices, has_voice_tags

    model = store.models.active()
    if model is None or not model.tags:
        return {}
    if not (sure := thresholded_tags(model.tags)):
        tags = store.tags.get(content_keys, model.id)
        return {key: {"tags": ", ".join(likeliest_tags(probabilities))} for key, probabilities in tags.items()}
    voices = VOICE_TAGS if has_voice_tags(model.tags) else ()
    names = [*sure, *voices]
    keys, probabilities = store.tags.select(content_keys, model.id, names)
    shown = sure_tags(probabilities[:, : len(sure)], sure)
    if not voices:
        return {key: {"tags": ", ".join(row)} for key, row in zip(keys, shown, strict=True)}
    detected = detect_voices(probabilities[:, len(sure) :], voices)
    values: dict[bytes, Mapping[str, Any]] = {}
    for key, row, share, place in zip(keys, shown, detected.speech.tolist(), detected.vocals.tolist(), strict=True):
        # More classes than these tags' decide on vocals, rap among them: the two must not contradict each other.
        contradicting = INSTRUMENTAL if place else SUNG
        text = ", ".join(name for name in row if name not in contradicting)
        values[key] = {"tags": text, "speech": share, "vocals": VOCALS[place]}
    return values
