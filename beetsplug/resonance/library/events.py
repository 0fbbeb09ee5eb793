"""What beets does to rows and files in one run: collected by its events, told to the store when the run ends.

The events come from several threads, some of them while beets holds its library's lock: nothing here waits or opens a
file then. What is lost with a killed run, the next analysis finds out by itself.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from beets.library import Item, Library

    from resonance_engine.store import Store

State = tuple[int, int]


class FileChange(NamedTuple):
    """An item's file that beets rewrote or moved, the music in it unchanged; states are size and mtime in ns."""

    item_id: int
    source: bytes
    destination: bytes
    before: State
    after: State


class LibraryEvents:
    """The removals, tag writes and moves of one run."""

    def __init__(self) -> None:
        self.removed: dict[int, bytes] = {}
        self.alterations: list[FileChange] = []
        self.begun: dict[int, tuple[bytes, State]] = {}

    def __bool__(self) -> bool:
        return bool(self.removed or self.alterations)

    def remove(self, item: Item) -> None:
        """An item left the library."""
        if item.id is not None:
            self.removed[item.id] = item.path

    def begin(self, item: Item, path: bytes) -> None:
        """An item's file is about to be rewritten or moved."""
        state = file_state(path)
        if item.id is not None and state is not None:
            self.begun[item.id] = path, state

    def complete(self, item: Item, path: bytes) -> None:
        """That is done; the file is at `path` now."""
        begun = self.begun.pop(item.id, None) if item.id is not None else None
        after = file_state(path)
        if item.id is None or begun is None or after is None:
            return
        source, before = begun
        if (source, before) != (path, after):
            self.alterations.append(FileChange(item.id, source, path, before, after))

    def apply(self, library: Library) -> None:
        """Tell the store, if there is one. A file that had changed behind beets' back before stays suspect."""
        from beetsplug.resonance.library.sidecar import Sidecar

        sidecar = Sidecar(library)
        if sidecar.exists:
            present = {row.id: row.added for row in sidecar.rows()} if self.removed else {}
            with sidecar.store as store, store.write():
                known = store.tracks.get(sidecar.id, self.removed)
                # An import gives the id of a row that it replaces to another.
                gone = {
                    item_id: path
                    for item_id, path in self.removed.items()
                    if item_id not in present or (item_id in known and known[item_id].added != present[item_id])
                }
                store.tracks.unlink(sidecar.id, gone)
                store.failures.clear(sidecar.id, *gone.values())
                follow(store, sidecar.id, self.alterations)
        self.removed, self.alterations = {}, []


def follow(store: Store, library: int, alterations: list[FileChange]) -> None:
    """Give the rows of altered files their new states, where the rows were right about the old ones."""
    tracks = store.tracks.get(library, {each.item_id for each in alterations})
    states = {item_id: (track.size, track.mtime_ns) for item_id, track in tracks.items()}
    failures = store.failures.all(library)
    failed = {path: (failure.size, failure.mtime_ns, failure.reason) for path, failure in failures.items()}
    for each in alterations:
        if states.get(each.item_id) == each.before:
            states[each.item_id] = each.after
            store.tracks.update_file(library, each.item_id, *each.after)
        if each.source in failed and failed[each.source][:2] == each.before:
            *_, reason = failed.pop(each.source)
            store.failures.clear(library, each.source)
            store.failures.record(library, each.destination, *each.after, reason)
            failed[each.destination] = (*each.after, reason)


def file_state(path: bytes) -> State | None:
    """Size and modification time in ns of a file, None where there is none."""
    try:
        stat = os.stat(path)  # noqa: PTH116 - bytes, which may not be text
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns
