"""Validate a network on held-out songs, after every epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.evaluation.metrics import Relevance, equal_labels, query_scores
from resonance_engine.evaluation.segments import segment_recall
from resonance_engine.evaluation.statistics import mean
from resonance_engine.evaluation.tasks import album_groups, album_label, artist_label
from resonance_engine.training.results.embed import embed_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from resonance_engine.network.model import ResonanceNetwork
    from resonance_engine.training.data.dataset import WindowSet
    from resonance_engine.training.data.songs import Song

RANKED_LIMIT = 4000  # songs, or windows, that are ranked against each other: similarities take memory by the square


def make_validation(windows: WindowSet, songs: Sequence[Song]) -> Callable[[ResonanceNetwork], dict[str, float]]:
    """Return a function that computes recall@1, 5, 10, 20, mrr, map and segment_recall of a network.

    Every song is a query for the songs of its album, of its artist and of its pair. Where no song has any, windows are
    queries for the other windows of their song. Of very many songs, or windows, about 4000 are used.
    """
    chosen = select_evaluated(songs)
    if len(chosen) < len(songs):
        windows, songs = windows.subset(chosen), [songs[place] for place in chosen]
    relevance = related_songs(songs)
    answerable = bool(relevance.relevant.any())

    def validate(network: ResonanceNetwork) -> dict[str, float]:
        embeddings = embed_windows(network, windows, next(network.parameters()).device)
        if answerable:
            scores = query_scores(embeddings.tracks, relevance)
        else:
            rows = select_first_songs(windows.song)
            scores = query_scores(embeddings.windows[rows], same_song_windows(windows.song[rows]))
        segments = segment_recall(embeddings.windows, windows.song)
        return {name: mean(values) for name, values in scores.items()} | {"segment_recall": mean(segments)}

    return validate


def select_evaluated(songs: Sequence[Song]) -> list[int]:
    """Select the songs to evaluate, by position: all, or whole albums, always the same ones, up to 4000."""
    if len(songs) <= RANKED_LIMIT:
        return list(range(len(songs)))
    groups = album_groups(songs)
    rank = {name: place for place, name in enumerate(np.random.default_rng(0).permutation(sorted(set(groups))))}
    drawn = sorted(range(len(songs)), key=lambda place: rank[groups[place]])
    return sorted(drawn[:RANKED_LIMIT])


def related_songs(songs: Sequence[Song]) -> Relevance:
    """Return the relevance of songs of one album, one artist or one pair."""
    others = ~np.eye(len(songs), dtype=bool)
    kinds = (
        [album_label(song) for song in songs],
        [artist_label(song) for song in songs],
        [song.identity for song in songs],
    )
    alike = np.logical_or.reduce([equal_labels(names) for names in kinds])
    return Relevance(alike & others, others)


def select_first_songs(song: NDArray[np.intp]) -> NDArray[np.intp]:
    """Select the windows of the first songs, up to the limit."""
    return np.flatnonzero(song <= song[min(RANKED_LIMIT, len(song)) - 1])


def same_song_windows(song: NDArray[np.intp]) -> Relevance:
    others = ~np.eye(len(song), dtype=bool)
    return Relevance((song[:, None] == song[None, :]) & others, others)
