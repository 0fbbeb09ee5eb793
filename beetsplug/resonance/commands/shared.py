"""beet resonance sidecar: the collected data into another database and back, and searched by its server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.background.process_lock import block_analysis
from beetsplug.resonance.library.identity import Identity, exclude_processes, name_copies, remember_identity, text_of
from beetsplug.resonance.library.sidecar import FILE_NAME, format_tracks
from resonance_engine.errors import format_count, printable
from resonance_engine.files import expand_home
from resonance_engine.store.opening import is_address, open_store
from resonance_engine.store.sqlite_file import LOGS, is_own_database, remove_database

if TYPE_CHECKING:
    from beetsplug.resonance.library.sidecar import Sidecar


def copy_sidecar(sidecar: Sidecar, place: str) -> None:
    """Copy the store of a library to the address of a database or the path of a file, and print what to do next."""
    if not sidecar.exists:
        raise UserError("resonance: nothing is analysed yet, so there is nothing to copy")
    target = place if is_address(place) else expand_home(place)
    with block_analysis(sidecar):
        if isinstance(target, Path):
            counts, name = copy_to_file(sidecar, target), printable(target)
        else:
            counts, name = copy_to_server(sidecar, target)
    recordings = sidecar.store.vectors.count(model.id) if (model := sidecar.model) else 0
    ui.print_(
        f"{format_count(recordings, 'recording')}, {format_tracks(counts['track'])} and "
        f"{format_count(sum(counts.values()), 'row')} in all were copied to {name}"
    )
    ui.print_(describe_next(sidecar, target))


def copy_to_server(sidecar: Sidecar, address: str) -> tuple[dict[str, int], str]:
    """Copy the store into an empty database; return how many rows by table, and what messages name it by."""
    from resonance_engine.store.copying import copy_store

    library = Path(sidecar.library.path)
    library_id = sidecar.id
    with exclude_processes(library.parent):  # another one might give them other UUIDs meanwhile
        libraries = {} if sidecar.settings.sidecar else name_copies(sidecar.store, library, library_id)
        with open_store(address) as copy:
            counts = copy_store(sidecar.store, copy, libraries=libraries.values())
        for path, row in libraries.items():
            if path.exists():
                remember_identity(path, Identity(row.name, row.uuid))
    return counts, copy.name


def copy_to_file(sidecar: Sidecar, target: Path) -> dict[str, int]:
    """Copy the store into a new file, which appears when it is complete; return how many rows by table."""
    from resonance_engine.store.copying import copy_store

    require_absent(target)
    name = text_of(Path(sidecar.library.path).name)  # by which the file beside a library knows it
    rows = sidecar.store.libraries.all()
    own = [row._replace(name=name) for row in rows if row.id == sidecar.id and name not in {row.name for row in rows}]
    partial = target.with_name(f"{target.name}.part")
    remove_unfinished(partial)
    try:
        with open_store(partial) as copy:
            counts = copy_store(sidecar.store, copy, libraries=own)
        put_in_place(partial, target)
    except BaseException:
        remove_database(partial)
        raise
    return counts


def require_absent(path: Path) -> None:
    """Raise UserError for a file that is there, or the log of one: SQLite would write its pages into another file."""
    if os.path.lexists(path):
        raise UserError(f"resonance: {printable(path)} is there already; name a file that is not")
    for log in map(path.with_name, (f"{path.name}{suffix}" for suffix in LOGS)):
        if os.path.lexists(log):
            raise UserError(
                f"resonance: {printable(log)} is there, what is left of another database; name another file, or move it"
            )


def remove_unfinished(partial: Path) -> None:
    """Delete what a copy that was killed has left; UserError for a file of another origin."""
    if partial.exists() and not is_own_database(partial):
        raise UserError(f"resonance: {printable(partial)} is there already and no unfinished copy; move it elsewhere")
    remove_database(partial)


def put_in_place(partial: Path, target: Path) -> None:
    """Give a finished file its name, unless another file has it meanwhile."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    require_absent(target)
    try:
        os.link(partial, target)
    except FileExistsError:
        require_absent(target)
    except OSError:  # a file system without links
        partial.replace(target)
        return
    partial.unlink()


def describe_next(sidecar: Sidecar, target: Path | str) -> str:
    """Return a sentence on how the copy is taken into use; addresses are not repeated, for their passwords."""
    if isinstance(target, str):
        return "`sidecar: ADDRESS` in the section `resonance` of the configuration takes it into use"
    if target.absolute() == sidecar.folder / FILE_NAME:
        return "without `sidecar` in the configuration, it is used from now on"
    return f"as {printable(sidecar.folder / FILE_NAME)} and without `sidecar` in the configuration, it is used"


def index_sidecar(sidecar: Sidecar) -> None:
    """Let the server search the embeddings of the model in use by itself, and print so."""
    if not sidecar.settings.sidecar:
        raise UserError("resonance: sidecar index is about a server, and resonance.db has none; see `sidecar copy`")
    model = sidecar.model
    if model is None:
        raise UserError("resonance: nothing is analysed yet, so there is nothing to search")
    from resonance_engine.store.postgresql.database import ServerDatabase
    from resonance_engine.store.postgresql.search import create_search_index

    database = sidecar.store.database
    assert isinstance(database, ServerDatabase), "it is at an address"
    create_search_index(database, model.id)
    ui.print_(f"the server can search the embeddings by {model.name} {model.version} ({model.id}) now")
