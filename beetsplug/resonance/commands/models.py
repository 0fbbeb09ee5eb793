"""beet resonance model list | use NAME | remove NAME: which model the library is searched with."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.background.process_lock import exclusive_analysis
from beetsplug.resonance.commands.analyze import run_update
from beetsplug.resonance.commands.common import align_columns, confirm, format_size
from beetsplug.resonance.library.analysis import open_ingest
from beetsplug.resonance.library.model_folder import remove_folder
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.sidecar import format_tracks
from resonance_engine.encoder.model_files import SHIPPED_NAMES, find_model_file
from resonance_engine.errors import ModelError, printable
from resonance_engine.suggestions import suggest

if TYPE_CHECKING:
    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar


def list_models(sidecar: Sidecar) -> None:
    """Print all models, also those of which only the vectors are left, and why some cannot be used."""
    models, active = Models(sidecar), sidecar.model
    names, wanted = models.names(), models.wanted
    rows, unusable, ids = [("name", "model", "tracks", "size", "")], {}, set()
    for name in names:
        try:
            # In a process of its own, as everything that comes from a file.
            with closing(models.open_pool(name)) as pool:
                model = pool.description()
        except ModelError as error:
            unusable[printable(name)] = str(error)
            continue
        ids.add(model.id)
        role = ("being prepared" if active else "chosen") if name == wanted else ""
        role = "in use" if active is not None and active.id == model.id else role
        size = format_size(find_model_file(models.path(name)).stat().st_size)
        label = f"{model.name} {model.version} ({model.id})"
        rows.append((printable(name), label, count_embedded(sidecar, model.id), size, role))
    rows += [(name, "-", "-", "-", "cannot be used") for name in unusable]
    for stored in sidecar.store.models.all() if sidecar.exists else []:
        if stored.id not in ids:
            reason = "not configured any more" if is_unlisted(models, stored.id) else "its file is gone"
            role = f"in use, {reason}" if stored.active else reason
            label = f"{stored.name} {stored.version}"
            rows.append((stored.id, label, count_embedded(sidecar, stored.id), "-", role))
    if wanted not in names:
        rows.append((wanted, "-", "-", "-", "chosen, its file is gone"))
    for line in [*align_columns(rows), *unusable.values()]:
        ui.print_(line)


def is_unlisted(models: Models, model_id: str) -> bool:
    """Return whether a model's file is where an earlier configuration named it."""
    name = models.name_of(model_id)
    if name is None or name in models.names():
        return False
    with suppress(ModelError):
        return models.known_id(name) == model_id
    return False


def count_embedded(sidecar: Sidecar, model_id: str) -> str:
    return f"{embedded_tracks(sidecar, model_id):,} of {sidecar.coverage().total:,}"


def embedded_tracks(sidecar: Sidecar, model_id: str) -> int:
    """Return how many tracks of the library a model has embedded."""
    return sidecar.store.tracks.counts(sidecar.id, model_id).embedded if sidecar.exists else 0


def use_model(sidecar: Sidecar, name: str, threads: int | None, log: BeetsLogger) -> None:
    """Choose another model, and take it into use when it has embedded the library."""
    models = Models(sidecar)
    models.verify_free()
    if name not in models.names():
        hint = suggest(name, models.names(), f"choose one of {', '.join(models.names())}")
        raise UserError(f"resonance: there is no model {name!r}; {hint}")
    # A model that does not load is not chosen.
    with exclusive_analysis(sidecar, True, log), open_ingest(models, name, threads) as ingest:
        models.choose(name)
        active = sidecar.model
        is_complete = embedded_tracks(sidecar, ingest.model.id) == sidecar.coverage().total
        if active is not None and active.id != ingest.model.id and not is_complete:
            log.info(
                "{} serves until {} has analysed the library; stop whenever you like, `beet resonance analyze` goes on",
                models.label(active),
                name,
            )
        run_update(sidecar, ingest, [], threads, log)
        if active is not None and active.id == ingest.model.id:
            ui.print_(f"{models.label(active)} is in use")


def remove_model(sidecar: Sidecar, name: str, sure: bool) -> None:
    """Delete a model that was trained or added: its files, its vectors and its indexes."""
    models = Models(sidecar)
    model_id = verify_removable(models, name)
    stored = next((model for model in sidecar.store.models.all() if model.id == model_id), None) if model_id else None
    count = sidecar.store.tracks.counts(sidecar.id, stored.id).embedded if stored else 0
    if not sure and not confirm(f"Remove the model {name} and its vectors of {format_tracks(count)}?"):
        return
    if stored:
        from resonance_engine.index.files import index_path

        sidecar.store.models.remove(stored.id)
        for kind in stored.widths():
            index_path(sidecar.index_folder, stored.id, kind).unlink(missing_ok=True)
    if name in models.names() and not remove_folder(models.folder / name):
        ui.print_(f"{models.folder / name} stays, for there is more in it than a model")
    models.forget(name)
    ui.print_(f"{name} was removed")


def verify_removable(models: Models, name: str) -> str | None:
    """Return the id of a model that may be removed, None where it is unknown; raises UserError for any other.

    A model whose file is gone is named by its id or by the name that it had.
    """
    sidecar, active = models.sidecar, models.sidecar.model
    if name in (*SHIPPED_NAMES, models.configured):
        raise UserError(f"resonance: {printable(name)} was neither trained nor added here, so it is not removed here")
    stored = {model.id for model in sidecar.store.models.all()} if sidecar.exists else set()
    model_id = name if name in stored else models.ids.get(name)
    if name not in models.names() and model_id not in stored:
        removable = [each for each in models.names() if each not in (*SHIPPED_NAMES, models.configured)]
        hint = suggest(name, removable, "see `beet resonance model list`")
        raise UserError(f"resonance: there is no model {name!r} that was trained or added; {hint}")
    if active is not None and active.id == model_id:
        raise UserError(f"resonance: {name} is in use; choose another one first with `beet resonance model use`")
    if models.preparing is not None and models.preparing.id == model_id:
        raise UserError(f"resonance: {name} is being prepared; choose another one with `beet resonance model use`")
    return model_id
