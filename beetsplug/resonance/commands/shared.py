"""beet resonance sidecar: the collected data into another database and back, and searched by its server."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.background.process_lock import block_analysis
from beetsplug.resonance.library.identity import name_library, remember_name
from beetsplug.resonance.library.sidecar import FILE_NAME, format_tracks
from resonance_engine.errors import printable
from resonance_engine.files import expand_home
from resonance_engine.store.opening import is_address, open_store

if TYPE_CHECKING:
    from beetsplug.resonance.library.sidecar import Sidecar


def copy_sidecar(sidecar: Sidecar, place: str) -> None:
    """Copy the store of a library to the address of a database or the path of a file, and print what to do next."""
    from resonance_engine.store.copying import copy_store

    if not sidecar.exists:
        raise UserError("resonance: nothing is analysed yet, so there is nothing to copy")
    target = place if is_address(place) else expand_home(place)
    if isinstance(target, Path) and target.exists():
        raise UserError(f"resonance: {printable(target)} is there already; name a file that is not")
    library = Path(sidecar.library.path)
    with block_analysis(sidecar), closing(open_store(target)) as copy:
        try:
            counts = copy_store(sidecar.store, copy)
        except BaseException:
            if isinstance(target, Path):  # it was made for this, and holds nothing
                copy.close()
                target.unlink(missing_ok=True)
            raise
        if isinstance(target, str):  # there, this library is known by the name that it has here
            remember_name(library, name_library(library, bool(sidecar.settings.sidecar)))
    recordings = sidecar.store.vectors.count(model.id) if (model := sidecar.model) else 0
    ui.print_(
        f"{recordings:,} recordings, {format_tracks(counts['track'])} and {sum(counts.values()):,} rows in all were "
        f"copied to {copy.name}"
    )
    ui.print_(describe_next(sidecar, target))


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
