"""What a change of the model that is in use means for the results of searches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beets import ui

from beetsplug.resonance.library.models import Models
from resonance_engine.errors import StoreError, printable

if TYPE_CHECKING:
    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.search.overlap import Overlap
    from resonance_engine.store import Model


def print_change(sidecar: Sidecar, old: Model, model: Model) -> None:
    """Print that a model took the place of another, how many neighbours a track keeps, and how to go back."""
    ui.print_(f"{model.name} {model.version} is in use now")
    try:
        overlap = measure_overlap(sidecar, old, model)
    except StoreError:
        overlap = None  # the old model's vectors are damaged; the new one is in use all the same
    models = Models(sidecar)
    name = models.name_of(old.id) or ""
    parts = [f"{overlap.kept:.0f} of {overlap.of} neighbours kept on average"] if overlap else []
    parts += [f"`beet resonance model use {printable(name)}` goes back"] if name in models.names() else []
    if parts:
        ui.print_("; ".join(parts))


def measure_overlap(sidecar: Sidecar, old: Model, new: Model) -> Overlap | None:
    """Return how many of a track's nearest neighbours by the old model the new one has, too."""
    from resonance_engine.index.files import open_index
    from resonance_engine.search.overlap import neighbour_overlap

    store, folder = sidecar.store, sidecar.path.parent
    with store.read():
        before, after = (store.tracks.linked_embeddings(sidecar.id, model.id) for model in (old, new))
    same = {before[key]: after[key] for key in before.keys() & after.keys()}
    return neighbour_overlap(open_index(store, old.id, folder), open_index(store, new.id, folder), same)
