"""Vectors that were computed elsewhere, brought to the tracks of a library by the content keys of their files."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from beetsplug.resonance.library.models import NAME, Models, fingerprint_model
from beetsplug.resonance.library.sidecar import file_state
from beetsplug.resonance.library.sync import plan_library
from resonance_engine.console import progress_bar
from resonance_engine.errors import AudioError, ExchangeError, printable
from resonance_engine.ingest import BATCH_FILES, Ingest, to_model
from resonance_engine.worker.worker import FileAnalysis, ModelDescription

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from beets.logging import BeetsLogger

    from beetsplug.resonance.library.sidecar import Sidecar
    from resonance_engine.exchange.reader import VectorFile
    from resonance_engine.store import Model
    from resonance_engine.worker.worker import Identifier, IsKnown

SECONDS = 0.01  # that the content key of a file takes to read


@dataclass
class ImportResult:
    """Numbers of tracks that got vectors, had them, are not in the file, failed to be read, and have no file.

    `passages` counts recordings that got dense windows, `strange` those of the file that the library has no track of.
    """

    stored: int = 0
    known: int = 0
    absent: int = 0
    failed: int = 0
    missing: int = 0
    passages: int = 0
    strange: int = 0


class ExchangePool:
    """Takes the analyses of files from a file of vectors, where it has their recordings: a pool of `Ingest`.

    `model` is the library's own, `keys` are content keys that need not be read, by path. Paths whose recordings are not
    in the file are passed over.
    """

    def __init__(self, vectors: VectorFile, model: Model, identifier: Identifier, keys: Mapping[Path, bytes]) -> None:
        self.vectors, self.model, self.identifier, self.keys = vectors, model, identifier, keys

    def description(self) -> ModelDescription:
        model = self.model
        return ModelDescription(
            model.id, model.name, model.version, model.dimensions, tuple(model.modalities), model.tags
        )

    def analyse(
        self, paths: Iterable[Path], is_known: IsKnown | None = None, passage: tuple[float, float] | None = None
    ) -> Iterator[tuple[Path, FileAnalysis | AudioError] | None]:
        """Yield paths with what the file has of them, no embedding where `is_known` accepts the content key."""
        assert passage is None, "a file of vectors has whole recordings"
        for path in paths:
            try:
                key = self.keys.get(path) or self.identifier.identify(path)
            except AudioError as error:
                yield path, error
                continue
            if is_known is not None and is_known(key):
                yield path, FileAnalysis(path, key, 0.0)
            elif (recording := self.vectors.get(key)) is not None:
                yield path, FileAnalysis(path, key, 0.0, recording.embedding, recording.analysis)
            else:
                yield None

    def close(self) -> None:
        self.identifier.close()


def choose_model(models: Models, vectors: VectorFile) -> str | None:
    """Return the name of a file's model among those of a library, None for the one in use without a name.

    Raises ExchangeError where the library neither uses nor wants that model.
    """
    active, model = models.sidecar.model, vectors.model
    if models.identify(models.wanted) == model.id:
        return models.wanted
    if active is not None and active.id == model.id:
        return models.name_of(active.id)
    name = models.find_name(model.id)
    used = describe_model(active, models.name_of(active.id)) if active else printable(models.wanted)
    raise ExchangeError(
        f"{printable(vectors.path)} holds vectors of {describe_model(model, name)}, and this library uses {used}; "
        f"nothing was stored. Compute them with that model, or {describe_choice(models, name)}."
    )


def describe_model(model: Model, name: str | None) -> str:
    """Return a model with what tells it from others of its name: the name to choose it by, if any, and its id."""
    chosen = f"{name}, " if name and NAME.fullmatch(name) else ""
    return f"{model.name} {model.version} ({chosen}{model.id})"


def describe_choice(models: Models, name: str | None) -> str:
    """Return a clause on how to choose the model of a name, or one that is not among those of the library."""
    if name is None:
        return "name the file's by `model:` in the configuration"
    leave = "take `model:` out of the configuration and " if models.configured else ""
    return (
        f"{leave}choose the file's by `beet resonance model use {printable(name)}`, which Ctrl-C may stop, and import "
        "again"
    )


def load_model(models: Models, name: str | None, vectors: VectorFile) -> Model:
    """Return the model of a file as the store knows it, or else as it is; ExchangeError where the file has another."""
    stated = vectors.model
    model = next((known for known in models.sidecar.store.models.all() if known.id == stated.id), None)
    if name is not None and (model is None or not model.tags):
        with closing(models.open_pool(name)) as pool:
            model = to_model(pool.description())
    if model is None or (model.id, model.widths(), model.tags) != (stated.id, stated.widths(), stated.tags):
        raise ExchangeError(
            f"{printable(vectors.path)} states other facets, tags or widths for the model {stated.id} than that model "
            "has; nothing was stored."
        )
    return model


def import_recordings(sidecar: Sidecar, vectors: VectorFile, log: BeetsLogger) -> ImportResult:
    """Store what a verified file has of the library's recordings, and link their tracks; each as a whole.

    Recordings that are stored already, with the file's model, stay as they are.
    """
    models = Models(sidecar)
    name = choose_model(models, vectors)
    store, settings = sidecar.store, sidecar.settings
    model = load_model(models, name, vectors)
    identifier = sidecar.runtime.open_identifier(settings.timeout)
    with closing(ExchangePool(vectors, model, identifier, known_keys(sidecar))) as pool:
        ingest = Ingest(store, sidecar.id, pool)
        if name is not None:
            models.note(name, model.id, fingerprint_model(models.path(name)))
        plan = plan_library(sidecar, model.id)
        result = ImportResult(known=plan.analysed, missing=plan.missing, failed=len(plan.failed))
        with progress_bar(len(plan.jobs), SECONDS) as bar:
            for outcome in ingest.run(plan.jobs, report=bar.update):
                result.stored += outcome.embedded
                result.known += outcome.key is not None and not outcome.embedded
                if outcome.error is not None:
                    result.failed += 1
                    bar.clear()
                    log.warning("not imported: {}", outcome.error)
    linked = {track.content_key for track in store.tracks.all(sidecar.id).values()}
    result.absent = plan.total - result.stored - result.known - result.failed - result.missing
    result.strange = len(vectors.rows.keys() - linked)
    result.passages = import_passages(sidecar, vectors, model, linked)
    return result


def import_passages(sidecar: Sidecar, vectors: VectorFile, model: Model, keys: Iterable[bytes]) -> int:
    """Store the dense windows that a file has of recordings which have none; return of how many."""
    store = sidecar.store
    pending = [key for key in keys if key in vectors.rows and vectors.has_passages(key)]
    pending = sorted(set(pending) - store.passages.stored(model.id))
    for start in range(0, len(pending), BATCH_FILES):
        with store.write():
            for key in pending[start : start + BATCH_FILES]:
                recording = vectors.get(key)
                assert recording is not None
                assert recording.passages is not None
                store.passages.put(key, model.id, recording.passages)
    return len(pending)


def known_keys(sidecar: Sidecar) -> dict[Path, bytes]:
    """Return the content keys of the files that are as they were when they were read, by path."""
    tracks = sidecar.store.tracks.all(sidecar.id)
    return {
        Path(os.fsdecode(row.path)): track.content_key
        for row in sidecar.rows_by_id(tracks)
        if (track := tracks[row.id]).added == row.added and file_state(row.path) == (track.size, track.mtime_ns)
    }
