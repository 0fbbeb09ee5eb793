"""What was heard in a library's tracks, read from the store in growing batches while beets lists them."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from beets.dbcore.query import InQuery

from beetsplug.resonance.library.events import file_state
from beetsplug.resonance.library.sidecar import Sidecar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from beets.library import Item, Library

    from resonance_engine.store import Store

T = TypeVar("T")

FIRST_SPAN = 4  # ids on either side of the first item that is asked for
GROWTH = 4
FRESH_SECONDS = 10.0  # a server that runs for days is to see what another process analysed
IDS_AT_A_TIME = 10_000
TAG_SHARE = 0.5  # of the likeliest tag's probability; what is less likely is not said
MOST_TAGS = 3


class CachedEntry(NamedTuple, Generic[T]):
    """What is known of an item's audio, and the state of the row and file that it was linked to."""

    added: float
    size: int
    mtime_ns: int
    said: T

    def of(self, item: Item) -> bool:
        """Whether the item is still the one that was listened to; beets gives ids again."""
        return self.added == item.added or file_state(item.path) == (self.size, self.mtime_ns)


class AnalysisCache(Generic[T]):
    """What the store says of items' audio, as `say` has it of recordings by content key.

    A list of thousands costs a handful of reads, one item a small one: neighbours in a list are mostly neighbours by
    id, so each read takes in four times as many ids around what is asked for as the one before.
    """

    def __init__(self, say: Callable[[Store, set[bytes]], Mapping[bytes, T]]) -> None:
        self.say = say
        self.forget()

    def forget(self) -> None:
        """Read everything anew, as after an import."""
        self.library: Library | None = None
        self.known: dict[int, CachedEntry[T] | None] = {}
        self.complete = False
        self.span = FIRST_SPAN
        self.since = 0.0

    def of(self, item: Item) -> T | None:
        """What is said of an item; None where it is not analysed. Raises StoreError."""
        library, item_id = item._db, item.id  # an item of no library has neither
        if library is None or item_id is None:
            return None
        self.begin(library)
        if item_id not in self.known and not self.complete:
            around = range(max(1, item_id - self.span), item_id + self.span + 1)
            found = self.read(library, around)
            self.known |= {each: found.get(each) for each in around}
            self.span *= GROWTH
        sound = self.known.get(item_id)
        return sound.said if sound is not None and sound.of(item) else None

    def all(self, library: Library) -> dict[int, T]:
        """What is said of all items, by id; those that are not analysed are left out. Raises StoreError."""
        self.begin(library)
        if not self.complete:
            self.known, self.complete = {**self.read(library)}, True
        return current(library, {each: sound for each, sound in self.known.items() if sound is not None})

    def begin(self, library: Library) -> None:
        """Forget what may be out of date."""
        if library is not self.library or time.monotonic() - self.since > FRESH_SECONDS:
            self.forget()
            self.library, self.since = library, time.monotonic()

    def read(self, library: Library, item_ids: Iterable[int] | None = None) -> dict[int, CachedEntry[T]]:
        """What is said of some items, or of all; nothing, and no file is made, where nothing was ever stored."""
        sidecar = Sidecar(library)
        if not sidecar.exists:
            return {}
        with closing(sidecar):
            number = sidecar.id  # is made where the store has none yet, which a read must not
            with sidecar.store.read():
                reader = sidecar.store
                tracks = reader.tracks.all(number) if item_ids is None else reader.tracks.get(number, item_ids)
                said = self.say(reader, {track.content_key for track in tracks.values()})
        return {
            item_id: CachedEntry(track.added, track.size, track.mtime_ns, said[track.content_key])
            for item_id, track in tracks.items()
            if track.content_key in said
        }


def current(library: Library, sounds: Mapping[int, CachedEntry[T]]) -> dict[int, T]:
    """What is said of those items that are still what was listened to, by id."""
    with library.transaction() as transaction:
        rows = transaction.query("SELECT id, added FROM items")
    there = {row["id"]: row["added"] for row in rows if row["id"] in sounds}
    known = {each: sounds[each].said for each, added in there.items() if added == sounds[each].added}
    doubtful = [each for each in there if each not in known]
    for start in range(0, len(doubtful), IDS_AT_A_TIME):
        for item in library.items(InQuery("id", doubtful[start : start + IDS_AT_A_TIME])):
            if item.id is not None and sounds[item.id].of(item):
                known[item.id] = sounds[item.id].said
    return known


def attributes(reader: Store, content_keys: set[bytes]) -> dict[bytes, Mapping[str, Any]]:
    """What was measured of recordings: tempo, key, energy, brightness; see `analysis.Attributes`."""
    return {key: analysis.attributes for key, analysis in reader.analyses.get(content_keys).items()}


def tags(reader: Store, content_keys: set[bytes]) -> dict[bytes, str]:
    """What the model in use calls recordings, in words."""
    model = reader.models.active()
    found = {} if model is None else reader.tags.get(content_keys, model.id)
    return {key: tags_in_words(probabilities) for key, probabilities in found.items()}


def tags_in_words(probabilities: Mapping[str, float]) -> str:
    """The likeliest tags, at most three, that are at least half as likely as the first: "rock, 80s"."""
    likeliest = sorted(probabilities, key=lambda name: -probabilities[name])[:MOST_TAGS]
    return ", ".join(name for name in likeliest if probabilities[name] >= TAG_SHARE * probabilities[likeliest[0]])
