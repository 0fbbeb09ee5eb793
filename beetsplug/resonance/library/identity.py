"""What a library is told by in its store: the name of its file beside it; in a shared one, a UUID and a name.

The file's name would be everybody's in a shared store. So a library gets a name of its machine and path when it first
comes into one, by an analysis or a copy, and a UUID, which decides. Both are kept in a small file beside it: neither a
move nor a renamed machine makes another library of it, and machines that share its folder have one.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from resonance_engine.errors import StoreError, printable
from resonance_engine.files import write_bytes
from resonance_engine.records import has_type

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping
    from pathlib import Path

    from resonance_engine.store import LibraryRow, Store

FILE_NAME = "resonance-library.json"
LOCK_NAME = f"{FILE_NAME}.lock"
LOCK_SECONDS = 10.0
RETRY_SECONDS = 0.05


class Identity(NamedTuple):
    """The name and the UUID of a library in shared stores; earlier versions kept the name alone."""

    name: str
    uuid: str = ""


def find_library(store: Store, library: Path) -> int | None:
    """Return the id of a library in a store, None where it has none yet; for the store beside it, or a copy of that."""
    own, rows = text_of(library.name), store.libraries.all()
    known = read_identity(library) or Identity(own)
    ids = {row.uuid: row.id for row in rows} | {row.name: row.id for row in rows}
    return next((ids[each] for each in (known.uuid, known.name, own) if each in ids), None)


def find_or_register(store: Store, library: Path, read_dates: Callable[[], Mapping[int, float]]) -> int:
    """Return the id of a library in a shared store, where it gets one if it has none yet.

    `read_dates` gives the dates of addition of its items, by id. A row of its name without its UUID is its own if at
    least half of the tracks there are its items: an earlier version has registered it, or its file of names was lost.
    Raises StoreError where that is another library.
    """
    uuid = (read_identity(library) or Identity("")).uuid or default_uuid(library)
    number = next((row.id for row in store.libraries.all() if row.uuid == uuid), None)
    if number is not None:
        return number
    with exclude_processes(library.parent):
        return register(store, library, read_dates)


@contextmanager
def exclude_processes(folder: Path) -> Iterator[None]:
    """Let one process at a time keep what the libraries of a folder are told by.

    After LOCK_SECONDS, and where the folder has no locks or may not be written, others are not excluded.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            file = stack.enter_context((folder / LOCK_NAME).open("ab"))
            deadline = time.monotonic() + LOCK_SECONDS
            while not try_lock(file) and time.monotonic() < deadline:
                time.sleep(RETRY_SECONDS)
        yield


def try_lock(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def register(store: Store, library: Path, read_dates: Callable[[], Mapping[int, float]]) -> int:
    """Return the id of a library, of a row that it adopts or of a new one; raises as `find_or_register`."""
    own, rows = text_of(library.name), store.libraries.all()
    # Read after the rows, and written before them, so that no row of another process is without its UUID here.
    known = read_identity(library) or Identity(own)
    name = default_name(library) if known.name == own else known.name
    uuid = known.uuid or default_uuid(library)
    for row in rows:
        if row.uuid == uuid:
            return row.id
    named = {row.name: row for row in rows}
    for row in filter(None, map(named.get, (name, own))):  # earlier versions copied it under its file's name
        if holds_items(store, row, read_dates, row.name == name and known == (name, "")):
            name = name if row.name == name else free_name(name, row.uuid, named)
            adopt(store, library, row._replace(name=name, uuid=known.uuid or row.uuid))
            return row.id
    if name in named and name == known.name:
        raise StoreError(
            f"{store.name} has a library called {name} that is another one, by its tracks; nothing was changed. Name "
            f"another database as `sidecar`, or delete {printable(library.with_name(FILE_NAME))}, and this library "
            "gets a name of its own there."
        )
    return create(store, library, named, known._replace(name=name))


def holds_items(store: Store, row: LibraryRow, read_dates: Callable[[], Mapping[int, float]], if_none: bool) -> bool:
    """Whether at least half of the tracks under a row are items, by id and date of addition; `if_none` without any."""
    tracks = store.tracks.all(row.id).values()
    if not tracks:
        return if_none
    added = read_dates()
    return 2 * sum(added.get(track.item_id) == track.added for track in tracks) >= len(tracks)


def adopt(store: Store, library: Path, row: LibraryRow) -> None:
    """Keep name and UUID of a row that is this library's, and give them to the row; who may only read finds it so."""
    remember_identity(library, Identity(row.name, row.uuid))
    with suppress(StoreError):
        store.libraries.rename(row)


def create(store: Store, library: Path, taken: Container[str], wanted: Identity) -> int:
    """Return the id of a library that is new in a store, under a name that is none of those `taken`."""
    from uuid import uuid4  # every start of beets loads this module

    uuid = wanted.uuid or str(uuid4())
    identity = Identity(free_name(wanted.name, uuid, taken), uuid)
    if not remember_identity(library, identity):
        identity = identity._replace(uuid=wanted.uuid or default_uuid(library))
    row = store.libraries.add(*identity)
    remember_identity(library, Identity(row.name, row.uuid))  # another's name may have come meanwhile
    return row.id


def name_copies(store: Store, library: Path, library_id: int) -> dict[Path, LibraryRow]:
    """Return the rows of the libraries in a folder as a shared store has them, by the files of the libraries."""
    from uuid import uuid4

    identities, copies, rows = read_identities(library.parent), {}, store.libraries.all()
    taken = {row.name for row in rows}
    for row in rows:
        if row.id != library_id and ("/" in row.name or row.name in ("", ".", "..", text_of(library.name))):
            continue  # a library elsewhere, which came from a shared store
        path = library if row.id == library_id else library.with_name(row.name)
        own = text_of(path.name)
        known = identities.get(own, Identity(own))
        uuid = known.uuid or str(uuid4())
        name = default_name(path) if known.name == own else known.name
        copies[path] = row._replace(uuid=uuid, name=name if name == row.name else free_name(name, uuid, taken))
        taken.add(copies[path].name)
    return copies


def free_name(name: str, uuid: str, taken: Container[str]) -> str:
    return f"{name} {uuid[:8]}" if name in taken else name


def default_name(library: Path) -> str:
    """Return the name of a library that has none yet, of its machine and path."""
    import socket

    return f"{socket.gethostname()}:{text_of(str(library.absolute()))}"


def default_uuid(library: Path) -> str:
    """Return the UUID of a library beside which none can be kept."""
    from uuid import NAMESPACE_URL, uuid5

    return str(uuid5(NAMESPACE_URL, default_name(library)))


def remember_identity(library: Path, identity: Identity) -> bool:
    """Keep what a library is told by beside it; return whether that could be written."""
    identities, own = read_identities(library.parent), text_of(library.name)
    if identities.get(own) == identity:
        return True
    kept = {file: each._asdict() for file, each in {**identities, own: identity}.items()}
    try:
        write_bytes(library.with_name(FILE_NAME), json.dumps(kept, indent=1).encode())
    except OSError:
        return False
    return True


def read_identity(library: Path) -> Identity | None:
    """Return what a library is told by, None where nothing is kept yet."""
    return read_identities(library.parent).get(text_of(library.name))


def read_identities(folder: Path) -> dict[str, Identity]:
    """Return what the libraries in a folder are told by, by the names of their files; none where it can't be read."""
    try:
        entries = json.loads((folder / FILE_NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    if not has_type(entries, dict[str, str | dict[str, str]]):
        return {}
    kept = {file: {"name": entry} if isinstance(entry, str) else entry for file, entry in entries.items()}
    return {file: Identity(entry["name"], entry.get("uuid", "")) for file, entry in kept.items() if entry.get("name")}


def text_of(name: str) -> str:
    """Return the name of a file as a text that every database takes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
