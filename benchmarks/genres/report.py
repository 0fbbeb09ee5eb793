"""How often the vote of neighbours and the model's tags are right on pieces whose genre is known."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from beets.library import Library

from beetsplug.resonance.fields.analysis_cache import AnalysisCache, load_tags
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.search.session import open_session
from beetsplug.resonance.search.tag_votes import load_tracks
from benchmarks.genres.build import METAL
from benchmarks.genres.scores import CUSTOMARY, PIANO, STYLES
from benchmarks.tagging import describe
from resonance_engine.search.text.tag_names import display_name
from resonance_engine.tagging.suggestions import THRESHOLD, Proportion, eligible_shares, evaluate, hold_vote, judge
from resonance_engine.tagging.tracks import build_table
from resonance_engine.tagging.vote import VoteSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from resonance_engine.tagging.tracks import LabelledTracks

SCORES = tuple(style.genre for style in STYLES)
CLASSICAL = {name for name in SCORES if name != "fiddle tune"}
GENRE_TAGS = {
    display_name("Classical music"): CLASSICAL,
    display_name("Heavy metal"): {METAL},
    display_name("Rock music"): {METAL},
}
"""The genres among the model's shown tags, and the pieces that each is right of."""


class GenreTrack(NamedTuple):
    """An analysed track: its unit embedding, set, genre, artist, soundfont (empty for none), album and shown tags."""

    vector: NDArray[np.float32]
    kind: str
    genre: str
    artist: str
    soundfont: str
    album: str
    tags: frozenset[str]


LEFT_OUT: dict[str, Callable[[GenreTrack], str]] = {
    "composer with soundfont": lambda track: track.artist,
    "soundfont": lambda track: track.soundfont or track.artist,
}
"""What is left out as the artist, and its name for a track."""


def load_tracks_of(database: Path) -> list[GenreTrack]:
    """Load the analysed tracks of the library that `build` wrote."""
    library = Library(str(database), str(database.parent / "tracks"))
    with closing(Sidecar(library)) as sidecar, library.music_dir_context():
        with open_session(sidecar) as session:
            tracks = load_tracks(session)
        tags = AnalysisCache(load_tags).get_all(library)
        items = {item.id: item for item in library.items()}
    return [
        GenreTrack(
            vector,
            item["set"],
            item.genres[0],
            item.artist,
            item.grouping or "",
            item.album or "",
            frozenset(tags.get(item_id, {}).get("tags", "").split(", ")),
        )
        for vector, item_id in zip(tracks.table.vectors, tracks.item_ids, strict=True)
        for item in (items[item_id],)
    ]


def report(tracks: Sequence[GenreTrack]) -> list[str]:
    """Return the tables of all sets."""
    scores = [track for track in tracks if track.genre in SCORES]
    sets = {
        "scores, customary instruments": [track for track in scores if track.kind == CUSTOMARY],
        "scores, all on a piano": [track for track in scores if track.kind == PIANO],
        "scores, metal and tracker music": [track for track in tracks if track.kind == CUSTOMARY],
    }
    lines = ["| set | genres | tracks | left out | precision | coverage | commonest genre alone |", "|---" * 7 + "|"]
    for name, chosen in sets.items():
        lines += [vote_row(name, chosen, left_out) for left_out in LEFT_OUT] if chosen else []
    lines += ["", "| set | genre tag of the model right | tracks with one | classical for all of these |"]
    lines += ["|---" * 4 + "|", *(tag_row(name, chosen) for name, chosen in sets.items() if chosen)]
    for name, chosen in sets.items():
        lines += ["", f"{name}, {next(iter(LEFT_OUT))} left out:", "", *genre_table(chosen)] if chosen else []
    return lines


def tabulate(tracks: Sequence[GenreTrack], left_out: str) -> LabelledTracks:
    return build_table(
        np.stack([track.vector for track in tracks]),
        range(len(tracks)),
        [LEFT_OUT[left_out](track) for track in tracks],
        [track.album for track in tracks],
        [[track.genre] for track in tracks],
    )


def vote_row(name: str, tracks: Sequence[GenreTrack], left_out: str) -> str:
    """Return precision with its interval over albums, coverage, and what the commonest genre would be right on."""
    table = tabulate(tracks, left_out)
    result = evaluate(table, hold_vote(table, table.labelled, VoteSettings()))
    low, high = result.interval
    precision = (
        f"{result.precision.value:.2f} [{low:.2f}, {high:.2f}] ({result.precision.hits}/{result.precision.trials})"
    )
    return (
        f"| {name} | {len(table.labels)} | {len(tracks)} | {left_out} | {precision} | {describe(result.coverage)} "
        f"| {result.share:.2f} |"
    )


def tag_row(name: str, tracks: Sequence[GenreTrack]) -> str:
    """Return how many tracks have a genre tag that is right of those that have any."""
    tagged = [track for track in tracks if track.tags & GENRE_TAGS.keys()]
    right = [all(track.genre in GENRE_TAGS[tag] for tag in track.tags & GENRE_TAGS.keys()) for track in tagged]
    share = np.mean([track.genre in CLASSICAL for track in tagged]) if tagged else np.nan
    return (
        f"| {name} | {describe(Proportion(sum(right), len(right)))} | {describe(Proportion(len(tagged), len(tracks)))} "
        f"| {share:.2f} |"
    )


def genre_table(tracks: Sequence[GenreTrack]) -> list[str]:
    """Return of each genre how many tracks have a suggestion, how many a right one, and what the model's tags are."""
    table = tabulate(tracks, next(iter(LEFT_OUT)))
    votes = hold_vote(table, table.labelled, VoteSettings())
    is_sure, is_right = judge(eligible_shares(table, votes), table.has_label[votes.queries], THRESHOLD)
    lines = ["| genre | tracks | with a suggestion | right | the model's commonest tags |", "|---" * 5 + "|"]
    for column, genre in enumerate(table.labels):
        own = table.has_label[votes.queries, column]
        names = [tag for track in tracks if track.genre == genre for tag in track.tags if tag]
        counts = sorted({tag: names.count(tag) for tag in names}.items(), key=lambda pair: (-pair[1], pair[0]))
        shown = ", ".join(f"{tag} {count}" for tag, count in counts[:4])
        lines.append(f"| {genre} | {own.sum()} | {is_sure[own].sum()} | {is_right[own].sum()} | {shown} |")
    return lines
