"""beet resonance map [QUERY]: a picture of the library in which near tracks sound alike, as a page or a PNG."""

from __future__ import annotations

import math
from collections import Counter
from importlib.util import find_spec
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
from beets import ui
from beets.exceptions import UserError

from beetsplug.resonance.commands.common import (
    align_columns,
    format_size,
    require_searchable,
    verify_output,
    write_output,
)
from beetsplug.resonance.library.items import items_at, matching_ids, no_match
from beetsplug.resonance.library.labels import file_name
from beetsplug.resonance.library.sidecar import describe_copies, format_tracks
from beetsplug.resonance.search.library_map import CENTROIDS, POINTS, LibraryMap
from beetsplug.resonance.search.session import open_session
from resonance_engine.errors import VIZ_EXTRA, neutralise, printable
from resonance_engine.files import expand_home

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from optparse import Values
    from pathlib import Path

    from beets.logging import BeetsLogger
    from numpy.typing import NDArray

    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.search.library_map import MapItem
    from resonance_engine.projection.page import MappedTracks

    Numbers = NDArray[np.float32]

PAGE, PICTURE = ".html", ".png"
MEASURED = {"tempo": "tempo", "energy": "energy", "brightness": "brightness"}  # attributes by what the page calls them
TAGS_AT_A_TIME = 64
COLOURS = ("cluster", "genre", "artist")  # of a picture, the first that the library has words for


def draw_map(sidecar: Sidecar, query: list[str], opts: Values, log: BeetsLogger) -> None:
    """Write the map of the tracks that a query matches, or list the clusters of these."""
    target = check_output(opts.output, opts.clusters, opts.playlist)
    if target is not None and target.suffix.lower() == PICTURE:
        require_package("matplotlib")
    among = matching_ids(sidecar.library, query) if query else None
    if among is not None and not among:
        raise no_match(sidecar.library, "resonance", query)
    require_searchable(sidecar, log)
    with open_session(sidecar) as session:
        library_map = LibraryMap(session)
        if target is None:
            content, lines = b"", list_clusters(library_map, among, opts.anew)
        else:
            content, lines = make_map(library_map, among, opts, target)
    library_map.save()  # first, for it takes long to compute
    if target is not None:
        write_output(target, content)
    for line in lines:
        ui.print_(line)


def check_output(name: str | None, clusters: bool, playlists: Sequence[str] | None) -> Path | None:
    """Return the file to write, None where the clusters are listed.

    UserError where options make no sense, TargetError for a file that cannot be it.
    """
    if clusters:
        given = "-o" if name is not None else "--playlist" if playlists else ""
        if given:
            raise UserError(f"resonance: map --clusters lists the clusters and takes no {given}")
        return None
    if name is None:
        raise UserError(f"resonance: map takes -o with a file that ends in {PAGE} or {PICTURE}")
    path = expand_home(name)
    verify_output(path, "map -o", (PAGE, PICTURE))
    return path


def require_package(name: str) -> None:
    if find_spec(name) is None:
        raise UserError(f"resonance: map needs {name}; install it into beets' environment with {VIZ_EXTRA}")


def list_clusters(library_map: LibraryMap, among: set[int] | None, anew: bool) -> list[str]:
    """Return a line for each cluster that has tracks of those `among` given: its name and how many."""
    clusters = library_map.clusters(anew)
    assigned = dict(zip(library_map.ids, clusters.assign(library_map.vectors).tolist(), strict=True))
    items = library_map.session.current_items(library_map.ids)
    counts = Counter(
        assigned[each] for each, item_ids in items.items() if among is None or not among.isdisjoint(item_ids)
    )
    if not counts:
        raise UserError("resonance: none of the tracks that match is analysed yet; run `beet resonance analyze`")
    rows = [(neutralise(clusters.names[place]), f"{times:>6,}") for place, times in counts.most_common()]
    lines = align_columns(rows)
    return [*lines, *describe_growth(library_map, CENTROIDS, "clusters")]


def describe_growth(library_map: LibraryMap, part: str, noun: str) -> list[str]:
    """Return a line where the library has outgrown what was computed of it; none else."""
    if not library_map.is_outgrown(part):
        return []
    verb, pronoun = ("was", "it") if noun == "map" else ("were", "them")
    size, count = format_tracks(library_map.size_of(part)), len(library_map.ids)
    return [f"the {noun} {verb} computed of {size}, and there are {count:,} now; --anew computes {pronoun} again"]


def make_map(library_map: LibraryMap, among: set[int] | None, opts: Values, target: Path) -> tuple[bytes, list[str]]:
    """Return the file of the map of the tracks `among` given and of those of playlists, and the lines to print."""
    from beetsplug.resonance.search.library_map import load_items
    from resonance_engine.projection.page import format_page
    from resonance_engine.projection.picture import draw_picture

    session = library_map.session
    lines = read_playlists(library_map, opts.playlist or [])
    points = compute_points(library_map, opts.anew)
    clusters = library_map.clusters(opts.anew)
    items = load_items(session, library_map.ids, among)
    on_lines = {vector_id for line in lines.values() for vector_id in line}
    items |= load_items(session, sorted(on_lines - items.keys()))
    if not items:
        raise UserError("resonance: none of the tracks that match is analysed yet; run `beet resonance analyze`")
    rows = [place for place, vector_id in enumerate(library_map.ids) if vector_id in items]
    named = np.array(clusters.names)[clusters.assign(library_map.vectors[rows])]
    tracks = describe_tracks(library_map, rows, items, points[rows], named.tolist(), lines)
    title = f"{format_tracks(len(tracks))}, model {session.model.name} {session.model.version}"
    if target.suffix.lower() == PAGE:
        content = format_page(tracks, title).encode("utf-8", "backslashreplace")
    else:
        colour = next((name for name in COLOURS if any(tracks.words[name])), COLOURS[0])
        content = draw_picture(tracks, title, colour)
    copies = describe_copies(sum(item.copies for item in items.values()))
    size = ", ".join(filter(None, [format_size(len(content)), copies]))
    written = f"the map of {format_tracks(len(tracks))} was written to {printable(target)} ({size})"
    placed = f"{format_tracks(library_map.placed)} placed among the earlier ones; --anew computes the whole map again"
    return content, [written, *([placed] if library_map.placed else []), *describe_growth(library_map, POINTS, "map")]


def compute_points(library_map: LibraryMap, anew: bool) -> Numbers:
    """Return the points of all tracks, with a progress bar where they are computed; UserError without the extra."""
    from resonance_engine.console import progress_bar
    from resonance_engine.projection.layout import count_steps

    try:
        with progress_bar(count_steps(len(library_map.ids)), unit="step", leave=False) as bar:
            return library_map.points(anew, bar.update)
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "openTSNE":
            raise UserError(
                f"resonance: a package that the map needs does not load ({error}); install it again with {VIZ_EXTRA}"
            ) from error
        raise UserError(
            f"resonance: map needs openTSNE; install it into beets' environment with {VIZ_EXTRA}"
        ) from error


def read_playlists(library_map: LibraryMap, names: Sequence[str]) -> dict[str, list[int]]:
    """Return the vectors of the tracks of playlist files, in their order, by the names of the files.

    Files of one name in several folders are numbered. UserError for one of which no track is on the map.
    """
    from resonance_engine.playlist.m3u import read_playlist

    session, lines = library_map.session, {}
    library = session.sidecar.library
    for file in names:
        path = expand_home(file)
        entries = read_playlist(path).entries
        ids = items_at(library, (entry.path for entry in entries))
        current = session.current(session.sidecar.rows_by_id(ids.values()))
        vector_ids = session.store.tracks.vector_ids(session.sidecar.id, current, session.model.id)
        known = set(library_map.ids)
        line = [vector_ids.get(ids.get(entry.path, -1), -1) for entry in entries]
        name = next(each for each in number_names(path.stem) if each not in lines)
        lines[name] = [vector_id for vector_id in line if vector_id in known]
        if not lines[name]:
            raise UserError(f"resonance: no track of {printable(path)} is analysed in this library")
    return lines


def number_names(name: str) -> Iterator[str]:
    """Yield a name, then the same with numbers from 2 on."""
    yield name
    yield from (f"{name} ({number})" for number in count(2))


def describe_tracks(
    library_map: LibraryMap,
    rows: Sequence[int],
    items: Mapping[int, MapItem],
    points: Numbers,
    clusters: list[str],
    lines: Mapping[str, Sequence[int]],
) -> MappedTracks:
    """Return what a map shows of its tracks: those at the places `rows` of the library's map, with their items."""
    from resonance_engine.projection.page import MappedTracks

    ids = [library_map.ids[row] for row in rows]
    ordered = [items[each] for each in ids]
    places = {each: place for place, each in enumerate(ids)}
    attributes = library_map.session.attributes(ids)
    measured = [attributes.get(each, {}) for each in ids]
    tag_names, tags = load_tags(library_map, ids)
    return MappedTracks(
        points=points,
        titles=[item.title or file_name(item.path) for item in ordered],
        paths=[item.path for item in ordered],
        seconds=[item.seconds for item in ordered],
        words={
            "cluster": clusters,
            "genre": [item.genre for item in ordered],
            "artist": [item.artist for item in ordered],
            "album": [item.album for item in ordered],
            "key": [str(each.get("key") or "") for each in measured],
        },
        numbers={
            "year": to_numbers([item.year or None for item in ordered]),
            **{name: to_numbers([each.get(field) for each in measured]) for name, field in MEASURED.items()},
        },
        tag_names=tag_names,
        tags=tags,
        lines={name: [places[each] for each in line] for name, line in lines.items()},
    )


def to_numbers(values: Sequence[object]) -> Numbers:
    """Return values as numbers, NaN for those that are none."""
    return np.array([value if isinstance(value, int | float) else math.nan for value in values], np.float32)


def load_tags(library_map: LibraryMap, ids: Sequence[int]) -> tuple[list[str], NDArray[np.float16]]:
    """Return the short names of the model's tags, and their probabilities (n, tags), NaN for tracks without."""
    from resonance_engine.search.text.tag_names import display_name

    store, model = library_map.session.store, library_map.session.model
    # Half precision, as they are stored, and some at a time: of very many tracks they take most of the memory.
    tags = np.full((len(ids), len(model.tags)), np.nan, np.float16, order="F")
    for start in range(0, len(model.tags), TAGS_AT_A_TIME):
        tagged, probabilities = store.tags.matrix(model.id, model.tags[start : start + TAGS_AT_A_TIME])
        rows = {each: place for place, each in enumerate(tagged.tolist())}
        places = np.array([rows.get(each, -1) for each in ids], np.intp)
        tags[places >= 0, start : start + TAGS_AT_A_TIME] = probabilities[places[places >= 0]]
    short = [display_name(tag) for tag in model.tags]
    twice = {name for name, times in Counter(short).items() if times > 1}
    return [tag if name in twice else name for tag, name in zip(model.tags, short, strict=True)], tags
