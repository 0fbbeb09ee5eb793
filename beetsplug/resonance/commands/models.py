"""beet resonance model list | use NAME | remove NAME: which model the library is searched with."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.background.exclusive import exclusive_analysis
from beetsplug.resonance.commands.analyze import update
from beetsplug.resonance.commands.common import confirmed, tracks
from beetsplug.resonance.commands.status import size
from beetsplug.resonance.config.settings import SHIPPED
from beetsplug.resonance.library.model_folder import remove_folder
from resonance_engine.errors import ModelError, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.worker.worker import ModelDescription


class ModelRow(NamedTuple):
    """A line of the list: `tracks` are those that the model has heard, `use` what it is needed for."""

    name: str
    model: str
    tracks: str
    size: str
    use: str


def list_models(sidecar: Sidecar) -> None:
    """Print every model that there is, and those of which only the vectors are left."""
    described = {name: loaded(sidecar, name) for name in sidecar.models.names()}
    usable = {name: found for name, found in described.items() if not isinstance(found, ModelError)}
    rows = [row(sidecar, name, found) for name, found in usable.items()]
    rows += [ModelRow(printable(name), "-", "-", "-", "cannot be used") for name in described if name not in usable]
    ids = {found.id for found in usable.values()}
    for model in sidecar.store.models.all() if sidecar.exists else []:
        if model.id not in ids:
            use = "in use, its file is gone" if model.active else "its file is gone"
            rows.append(ModelRow(model.id, f"{model.name} {model.version}", heard(sidecar, model.id), "-", use))
    if sidecar.models.wanted not in described:
        rows.append(ModelRow(sidecar.models.wanted, "-", "-", "-", "chosen, its file is gone"))
    for line in aligned([ModelRow("name", "model", "tracks", "size", ""), *rows]):
        ui.print_(line)
    for found in described.values():
        if isinstance(found, ModelError):
            ui.print_(str(found))


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The rows of a table as lines."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def row(sidecar: Sidecar, name: str, found: ModelDescription) -> ModelRow:
    active = sidecar.model
    if active is not None and active.id == found.id:
        use = "in use"
    elif name == sidecar.models.wanted:
        use = "being prepared" if active else "chosen"
    else:
        use = ""
    model = f"{found.name} {found.version} ({found.id})"
    file = file_of(sidecar.models.path(name))
    return ModelRow(printable(name), model, heard(sidecar, found.id), size(file.stat().st_size), use)


def loaded(sidecar: Sidecar, name: str) -> ModelDescription | ModelError:
    """What a model says of itself, in a process of its own, as everything that comes from a file."""
    from resonance_engine.worker.worker import Worker

    try:
        path = sidecar.models.path(name)
        with closing(Worker(path, sidecar.settings.timeout)) as worker:
            return worker.description()
    except ModelError as error:
        return error


def file_of(path: Path) -> Path:
    from resonance_engine.encoder.model_files import find_model_file

    return find_model_file(path)


def heard(sidecar: Sidecar, model_id: str) -> str:
    count = sidecar.store.tracks.counts(sidecar.id, model_id).embedded if sidecar.exists else 0
    return f"{count:,} of {sidecar.coverage().total:,}"


def use_model(sidecar: Sidecar, name: str, threads: int | None, log: BeetsLogger) -> None:
    """Want another model, and take it into use when it has heard the library."""
    models = sidecar.models
    models.verify_free()
    if name not in models.names():
        raise UserError(f"resonance: there is no model {name!r}; choose one of {', '.join(models.names())}")
    # A model that does not load is not chosen.
    with exclusive_analysis(sidecar, True, log), sidecar.ingest(name, threads) as ingest:
        models.choose(name)
        active = sidecar.model
        if active is not None and active.id != ingest.model.id:
            log.info(
                "{} {} serves until {} has heard the library; stop whenever you like, `beet resonance analyze` goes on",
                active.name,
                active.version,
                name,
            )
        update(sidecar, ingest, [], threads, log)
        if active is not None and active.id == ingest.model.id:
            ui.print_(f"{active.name} {active.version} is in use")


def remove_model(sidecar: Sidecar, name: str, sure: bool) -> None:
    """Delete a trained model: its files, its vectors and its indexes."""
    models = sidecar.models
    model_id = removable(sidecar, name)
    stored = next((model for model in sidecar.store.models.all() if model.id == model_id), None) if model_id else None
    count = sidecar.store.tracks.counts(sidecar.id, stored.id).embedded if stored else 0
    if not sure and not confirmed(f"Remove the model {name} and its vectors of {tracks(count)}?"):
        return
    if stored:
        from resonance_engine.index.files import index_path

        sidecar.store.models.remove(stored.id)
        for kind in stored.widths():
            index_path(sidecar.path.parent, stored.id, kind).unlink(missing_ok=True)
    if name in models.names() and not remove_folder(models.folder / name):
        ui.print_(f"{models.folder / name} stays, for there is more in it than a model")
    models.forget(name)
    ui.print_(f"{name} was removed")


def removable(sidecar: Sidecar, name: str) -> str | None:
    """The id of a model that may go, None where nobody knows it; raises UserError for one that stays.

    Of a model whose file is gone, the vectors go, by its id or by the name that it had.
    """
    models, active = sidecar.models, sidecar.model
    if name in (SHIPPED, models.configured):
        raise UserError(f"resonance: {printable(name)} was not trained here; only models that were can be removed")
    stored = {model.id for model in sidecar.store.models.all()} if sidecar.exists else set()
    model_id = name if name in stored else models.ids.get(name)
    if name not in models.names() and model_id not in stored:
        raise UserError(f"resonance: there is no trained model {name!r}; see `beet resonance model list`")
    if active is not None and active.id == model_id:
        raise UserError(f"resonance: {name} is in use; choose another one first with `beet resonance model use`")
    if models.preparing is not None and models.preparing.id == model_id:
        raise UserError(f"resonance: {name} is being prepared; choose another one with `beet resonance model use`")
    return model_id
