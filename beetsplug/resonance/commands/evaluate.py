"""beet resonance eval [QUERY]: how well the model in use finds albums, artists and genres of the user's own library."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import require_searchable, verify_output, write_output
from beetsplug.resonance.library.items import no_match
from beetsplug.resonance.library.models import Models
from beetsplug.resonance.library.sidecar import describe_copies, format_tracks
from beetsplug.resonance.library.training_source import song_of
from beetsplug.resonance.search.session import open_session
from resonance_engine.errors import printable
from resonance_engine.files import expand_home
from resonance_engine.suggestions import suggest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from optparse import Values
    from pathlib import Path

    from beets.library import Item
    from beets.logging import BeetsLogger
    from numpy.typing import NDArray

    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.search.session import SearchSession
    from resonance_engine.evaluation.evaluate import EvaluatedTracks
    from resonance_engine.evaluation.report import EvaluationReport, Table
    from resonance_engine.evaluation.tasks import Labelled
    from resonance_engine.store import Model

    Vectors = NDArray[np.float32]

SUFFIXES = (".md", ".html", ".json")
MOST_TRACKS = 3_000  # that are ranked against each other: similarities take memory by the square
MOST_QUERIES = 300  # of a task that each ranking is run for
NOUN = "tracks"
TITLE = "Evaluation of the library"


class EvaluatedLibrary(NamedTuple):
    """Tracks of a library, one for each recording: their metadata, content keys, and what a model gave for them."""

    songs: Sequence[Labelled]
    keys: list[bytes]
    output: EvaluatedTracks
    facets: Mapping[str, Vectors]
    notes: list[str]


def evaluate(sidecar: Sidecar, query: list[str], opts: Values, log: BeetsLogger) -> None:
    """Evaluate the model in use, and compare another one with it if requested; print the report, or write it."""
    from resonance_engine.console import progress_bar
    from resonance_engine.evaluation.evaluate import count_rankings, evaluate_model

    target = expand_home(opts.output) if opts.output is not None else None
    if target is not None:
        verify_output(target, "eval -o", SUFFIXES)
    items = list(sidecar.library.items(query))
    if query and not items:
        raise no_match(sidecar.library, "resonance", query)
    require_searchable(sidecar, log)
    model = sidecar.model
    assert model is not None, "something can be searched, so there is a model"
    name: str = opts.compare or ""
    other = find_model(sidecar, name) if name and name not in model.modalities else None
    library = load_library(sidecar, items, model, other)
    tables: list[Table] = []
    if other is not None:
        vectors = sidecar.store.vectors.get(library.keys, other.id)
        stacked = np.stack([vectors[key] for key in library.keys])
        tables.append(compare(library, stacked, label_models(sidecar, model, other)))
    elif name and name not in library.facets:
        raise UserError(f"resonance: eval --compare: some tracks have no {name}; run `beet resonance check --repair`")
    elif name:
        tables.append(compare(library, library.facets[name], (Models(sidecar).label(model), f"{name} alone")))
    with progress_bar(count_rankings(library.songs), unit="ranking") as bar:
        report = evaluate_model(
            (f"{model.name} {model.version}", model.id),
            list(model.modalities),
            library.songs,
            library.output,
            library.facets,
            MOST_QUERIES,
            NOUN,
            bar.update,
        )
    if target is None:
        print_report(report, library.notes, tables)
    else:
        write_report(target, report, library.notes, tables)
        ui.print_(f"the report was written to {printable(target)}")


def compare(library: EvaluatedLibrary, vectors: Vectors, names: tuple[str, str]) -> Table:
    """Compare other vectors of the tracks with the model's; `names` are what to call both."""
    from resonance_engine.evaluation.comparison import compare_tracks
    from resonance_engine.evaluation.page import comparison_table

    return comparison_table(compare_tracks(library.output.tracks, vectors, library.songs), names)


def find_model(sidecar: Sidecar, name: str) -> Model:
    """Return the model of a name or an id that has embeddings here; UserError where there is none, or it is in use."""
    models = Models(sidecar)
    stored = {model.id: model for model in sidecar.store.models.all()}
    chosen = stored.get(models.ids.get(name, name))
    if chosen is None:
        active = sidecar.model
        known = [*models.names(), *stored, *(active.modalities if active is not None else ())]
        if name in models.names():
            raise UserError(
                f"resonance: the model {printable(name)} has analysed nothing here; "
                f"`beet resonance model use {printable(name)}` does that"
            )
        raise UserError(
            f"resonance: there is no model {name!r}; {suggest(name, known, 'see `beet resonance model list`')}"
        )
    active = sidecar.model
    if active is not None and chosen.id == active.id:
        raise UserError(f"resonance: {printable(name)} is in use; eval --compare takes another one")
    return chosen


def load_library(sidecar: Sidecar, items: Sequence[Item], model: Model, other: Model | None) -> EvaluatedLibrary:
    """Load what the model gave for items, one for each recording, and of very many for whole albums."""
    from resonance_engine.evaluation.tasks import select_albums

    with open_session(sidecar) as session:
        current = session.current(items)
        vector_ids = session.store.tracks.vector_ids(sidecar.id, current, model.id)
        known = session.index.has(list(vector_ids.values()))
        vector_ids = {item_id: each for (item_id, each), has in zip(vector_ids.items(), known, strict=True) if has}
        by_vector = {vector_ids[item.id]: item for item in reversed(items) if item.id in vector_ids}
        copies = describe_copies(len(vector_ids) - len(by_vector))
        content_keys = session.store.vectors.content_keys(by_vector)
        if other is not None:
            shared = session.store.vectors.embedded(content_keys.values(), other.id)
            by_vector = {each: item for each, item in by_vector.items() if content_keys[each] in shared}
        if len(by_vector) < 2:
            which = "that both models have analysed" if other is not None else "that are analysed"
            raise UserError(f"resonance: eval takes at least two different tracks {which}, not {len(by_vector)}")
        ids = sorted(by_vector)
        songs = [evaluated_song(by_vector[each]) for each in ids]
        chosen = select_albums(songs, MOST_TRACKS)
        notes = [", ".join(filter(None, [f"{len(vector_ids):,} of {format_tracks(len(items))} analysed", copies]))]
        if len(chosen) < len(ids):
            notes.append(f"{len(chosen):,} of {format_tracks(len(ids))} taken: whole albums, the same each time")
        ids, songs = [ids[place] for place in chosen], [songs[place] for place in chosen]
        keys = [content_keys[each] for each in ids]
        return EvaluatedLibrary(songs, keys, *load_output(session, model, ids, keys), notes)


def evaluated_song(item: Item) -> Labelled:
    """Return an item as a song of one genre, the first: two lists of genres are hardly ever the same."""
    return replace(song_of(item), genre=next(iter(item.genres or ()), ""))


def load_output(
    session: SearchSession, model: Model, ids: Sequence[int], keys: Sequence[bytes]
) -> tuple[EvaluatedTracks, dict[str, Vectors]]:
    """Load embeddings, windows and gates of tracks, and their facets by name."""
    from resonance_engine.evaluation.evaluate import EvaluatedTracks

    store, places = session.store, {key: place for place, key in enumerate(keys)}
    windows = store.vectors.windows(keys, model.id)
    stacked = [windows[key].vectors for key in keys if key in windows]
    song = [place for key, place in places.items() if key in windows for _ in windows[key].starts]
    gates = store.vectors.gates(keys, model.id)
    output = EvaluatedTracks(
        session.index.vectors(ids),
        np.concatenate(stacked) if stacked else np.empty((0, model.dimensions), np.float32),
        np.array(song, np.intp),
        np.array([[gates.get(key, {}).get(name, 0.0) for name in model.modalities] for key in keys], np.float32),
    )
    facets = {name: session.facet(name) for name in model.modalities}
    return output, {name: index.vectors(ids) for name, index in facets.items() if all(index.has(ids))}


def label_models(sidecar: Sidecar, model: Model, other: Model) -> tuple[str, str]:
    """Return what to call two models, with their ids where their names are the same."""
    models = Models(sidecar)
    one, two = models.label(model), models.label(other)
    return (one, two) if one != two else (f"{one} ({model.id})", f"{two} ({other.id})")


def print_report(report: EvaluationReport, notes: Sequence[str], tables: Sequence[Table]) -> None:
    from resonance_engine.evaluation.report import align_columns, format_report

    for note in notes:
        ui.print_(note)
    for table in tables:
        ui.print_("\n".join(["", table.title, *align_columns(table.rows), ""]))
    ui.print_(format_report(report).rstrip("\n"))


def write_report(path: Path, report: EvaluationReport, notes: Sequence[str], tables: Sequence[Table]) -> None:
    """Write the report in the format that the suffix names."""
    from resonance_engine.evaluation.page import format_markdown, format_page

    suffix = path.suffix.lower()
    if suffix == ".json":
        text = report.to_json({"notes": list(notes), "tables": [table._asdict() for table in tables]})
    else:
        text = (format_markdown if suffix == ".md" else format_page)(TITLE, report, notes, tables)
    write_output(path, text.encode("utf-8", "backslashreplace"))
