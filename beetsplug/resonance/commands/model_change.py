"""What a change of the model that is in use means for what is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beets import ui

from resonance_engine.errors import StoreError, printable

if TYPE_CHECKING:
    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.search.overlap import Overlap
    from resonance_engine.store import Model


def compared(sidecar: Sidecar, old: Model, new: Model) -> Overlap | None:
    """How much of what the old model finds near, the new one finds too."""
    from resonance_engine.index.files import open_index
    from resonance_engine.search.overlap import neighbour_overlap

    store, folder = sidecar.store, sidecar.path.parent
    with store.read():
        before, after = (store.tracks.linked_embeddings(sidecar.id, model.id) for model in (old, new))
    same = {before[key]: after[key] for key in before.keys() & after.keys()}
    return neighbour_overlap(open_index(store, old.id, folder), open_index(store, new.id, folder), same)


def announce(sidecar: Sidecar, old: Model, new: Model) -> None:
    """Print how many neighbours a track keeps on average, and how to go back."""
    try:
        found = compared(sidecar, old, new)
    except StoreError:
        found = None  # the old model's vectors are damaged; the new one is in use all the same
    name = sidecar.models.name_of(old.id) or ""
    said = [f"{found.kept:.0f} of {found.of} neighbours kept on average"] if found else []
    said += [f"`beet resonance model use {printable(name)}` goes back"] if name in sidecar.models.names() else []
    if said:
        ui.print_("; ".join(said))
