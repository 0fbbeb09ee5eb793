"""Collect what beets does to rows and files in one run, and apply it to the store when the run ends.

The events come from several threads, some of them while beets holds its library's lock: nothing here waits or opens a
file then. The next analysis makes up for the events of a killed run.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from beets.library import Item, Library

    from resonance_engine.store import Store

State = tuple[int, int]  # size and modification time in ns


class FileChange(NamedTuple):
    """An item's file that beets rewrote or moved, the audio in it unchanged."""

    item_id: int
    source: bytes
    destination: bytes
    before: State
    after: State


class LibraryEvents:
    """The removals, tag writes and moves of one run."""

    def __init__(self) -> None:
        self.removed: dict[int, bytes] = {}
        self.changes: list[FileChange] = []
        self.pending: dict[int, tuple[bytes, State]] = {}

    def __bool__(self) -> bool:
        return bool(self.removed or self.changes)

    def record_removal(self, item: Item) -> None:
        """Record that an item left the library."""
        if item.id is not None:
            self.removed[item.id] = item.path

    def begin_change(self, item: Item, **_: object) -> None:
        """Record the state of an item's file that is about to be rewritten or moved."""
        state = file_state(item.path)
        if item.id is not None and state is not None:
            self.pending[item.id] = item.path, state

    def end_change(self, item: Item, destination: bytes | None = None, **_: object) -> None:
        """Record the new state of that file, and where it was moved to."""
        path = destination or item.path
        pending = self.pending.pop(item.id, None) if item.id is not None else None
        after = file_state(path)
        if item.id is None or pending is None or after is None:
            return
        source, before = pending
        if (source, before) != (path, after):
            self.changes.append(FileChange(item.id, source, path, before, after))

    def apply(self, library: Library) -> None:
        """Update the store, if there is one. A file that had changed before the event stays suspect."""
        from beetsplug.resonance.library.sidecar import Sidecar

        sidecar = Sidecar(library)
        if sidecar.exists:
            present = {row.id: row.added for row in sidecar.rows_by_id(self.removed)}
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
                apply_changes(store, sidecar.id, self.changes)
        self.removed, self.changes = {}, []


def apply_changes(store: Store, library: int, changes: list[FileChange]) -> None:
    """Set the states of changed files, in track and failure rows that had the states before the change."""
    tracks = store.tracks.get(library, {change.item_id for change in changes})
    states = {item_id: (track.size, track.mtime_ns) for item_id, track in tracks.items()}
    failures = store.failures.all(library)
    failed = {path: (failure.size, failure.mtime_ns, failure.reason) for path, failure in failures.items()}
    for change in changes:
        if states.get(change.item_id) == change.before:
            states[change.item_id] = change.after
            store.tracks.update_file(library, change.item_id, *change.after)
        if change.source in failed and failed[change.source][:2] == change.before:
            *_, reason = failed.pop(change.source)
            store.failures.clear(library, change.source)
            store.failures.record(library, change.destination, *change.after, reason)
            failed[change.destination] = (*change.after, reason)


def file_state(path: bytes) -> State | None:
    """Return size and modification time in ns of a file, None where there is none."""
    try:
        stat = os.stat(path)  # noqa: PTH116 - bytes, which may not be text
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns
