"""Embed what is synthesised: recordings of noise, loops of tracks, and performances of scores."""

from __future__ import annotations

from functools import partial
from itertools import combinations, groupby
from typing import TYPE_CHECKING

from benchmarks.duplicates.performances import Performance, play_performance
from benchmarks.duplicates.recordings import NOISES, make_loop, make_noise
from resonance_engine.console import progress_bar
from resonance_engine.errors import AudioError
from training.default_model.material import soundfont_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from benchmarks.duplicates.pairs import Pair
    from benchmarks.duplicates.performances import Notes
    from benchmarks.duplicates.recordings import EmbeddedRecording, RecordingEmbedder
    from training.default_model.transcoding import StereoAudio

PLACES = (0.25, 0.5, 0.75)  # of a track that loops are cut from
SOUNDFONT, OTHER_SOUNDFONT = "fluid", "timgm6mb"
PIANO, HARPSICHORD, ORGAN, VIOLIN, CHOIR, FLUTE = 0, 6, 19, 40, 52, 73  # programs of General MIDI
ALBUMS = {"bach": PIANO, "palestrina": ORGAN, "ryansMammoth": VIOLIN}  # the instrument of each collection
OTHER_INSTRUMENTS = {PIANO: HARPSICHORD, ORGAN: CHOIR, VIOLIN: FLUTE}
TITLES = {"bach": "chorales on a piano", "palestrina": "masses on an organ", "ryansMammoth": "tunes on a violin"}
TAKEN = {"bach": 8, "palestrina": 2, "ryansMammoth": 8}  # of so many pieces of a collection, one has takes and remixes
TAKES, ROOMS = "two takes", "two takes in two rooms"
REMIXES = ("another soundfont", "another instrument", "drums added")
RELATED = (TAKES, ROOMS, *REMIXES)  # kinds of pairs of one piece


def embed_noises(embedder: RecordingEmbedder, count: int) -> dict[str, EmbeddedRecording]:
    names = [(kind, seed) for kind in NOISES for seed in range(count)]
    return {
        f"{kind} {seed}": embedder.synthetic(f"{kind} {seed}", partial(make_noise, kind, seed))
        for kind, seed in progress_bar(len(names), iterable=names)
    }


def embed_loops(embedder: RecordingEmbedder, corpus: Path, paths: list[str]) -> dict[str, EmbeddedRecording]:
    """Embed three loops of each track; those that are silent are left out."""
    loops = {}
    for path in progress_bar(len(paths), iterable=paths):
        for place in PLACES:
            name = f"loop {place} {path}"
            try:
                loops[name] = embedder.synthetic(name, partial(make_loop, corpus / path, place))
            except AudioError:
                continue
    return loops


def album_performances(pieces: Iterable[str]) -> dict[str, list[Performance]]:
    """Return a performance of each piece by the instrument of its collection, by collection."""
    return {
        collection: [Performance(piece, ALBUMS[collection], SOUNDFONT) for piece in group]
        for collection, group in groupby(sorted(pieces), lambda piece: piece.partition("/")[0])
    }


def related_pairs(one: Performance) -> dict[str, list[tuple[Performance, Performance]]]:
    """Return pairs of other performances of a piece, by what sets them apart."""
    other, far = one._replace(take=1), one._replace(take=2, room=True)
    remixes = (
        one._replace(soundfont=OTHER_SOUNDFONT),
        one._replace(program=OTHER_INSTRUMENTS[one.program]),
        one._replace(drums=True),
    )
    pairs = {TAKES: [(one, other)], ROOMS: [(one, far), (other, far)]}
    return pairs | {kind: [(one, remix)] for kind, remix in zip(REMIXES, remixes, strict=True)}


def name_performance(performance: Performance) -> str:
    marks = (" drums" if performance.drums else "") + (" room" if performance.room else "")
    return f"{performance.piece} {performance.program} {performance.soundfont} {performance.take}{marks}"


def embed_performances(
    embedder: RecordingEmbedder, corpus: Path, scores: Mapping[str, Notes], pieces: int, takes: int
) -> tuple[dict[str, EmbeddedRecording], dict[str, list[Pair]]]:
    """Embed performances of scores of each collection, and takes and remixes of some; return pairs by kind."""
    everything = album_performances(scores)
    albums = {collection: group[:pieces] for collection, group in everything.items()}
    chosen = [one for collection, group in everything.items() for one in group[:: TAKEN[collection]][:takes]]
    related: dict[str, list[Pair]] = {}
    performances: dict[str, Performance] = {}
    for one in chosen:
        for kind, pairs in related_pairs(one).items():
            performances |= {name_performance(each): each for pair in pairs for each in pair}
            related.setdefault(kind, []).extend((name_performance(a), name_performance(b)) for a, b in pairs)
    performances |= {name_performance(each): each for group in albums.values() for each in group}
    embedded = {
        name: embedder.synthetic(name, partial(render_performance, performance, scores, corpus))
        for name, performance in progress_bar(len(performances), iterable=list(performances.items()))
    }
    names = {TITLES[kind]: [name_performance(each) for each in group] for kind, group in albums.items()}
    return embedded, {**{kind: list(combinations(group, 2)) for kind, group in names.items()}, **related}


def render_performance(performance: Performance, scores: Mapping[str, Notes], corpus: Path) -> StereoAudio:
    return play_performance(performance, scores[performance.piece], soundfont_file(corpus, performance.soundfont))
