"""Embed windows of songs, validate a network on held-out ones after every epoch, and compare two networks there."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch

from resonance_engine.evaluation.comparison import FEWEST_ALBUMS, FEWEST_QUERIES
from resonance_engine.evaluation.metrics import Relevance, equal_labels, query_scores, segment_recall
from resonance_engine.evaluation.statistics import bootstrap_interval, mean
from resonance_engine.evaluation.tasks import album_groups, album_label, artist_label, select_albums, tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from resonance_engine.network.model import ResonanceNetwork
    from resonance_engine.training.data.dataset import WindowSet
    from resonance_engine.training.data.songs import Song

    Array = NDArray[np.float32]
    Outputs = tuple[Array, ...]
    Scores = NDArray[np.float64]

# Windows at a time. A processor's caches are small: with 64 it takes more than twice as long as with 8.
BATCH, PROCESSOR_BATCH = 64, 8
RANKED_LIMIT = 4000  # songs, or windows, that are ranked against each other: similarities take memory by the square
SEGMENT_LOSS = 0.02  # of segment recall that a better model may lose
Verdict = Literal["better", "not better", "cannot tell"]


class Embeddings(NamedTuple):
    """Embeddings of songs.

    `tracks` (songs, d), `facets` (songs, modalities, d) and `windows` (windows, d) are of unit length, a song's being
    the normalised means over its windows; `gates` (songs, modalities) are means.
    """

    tracks: NDArray[np.float32]
    facets: NDArray[np.float32]
    gates: NDArray[np.float32]
    windows: NDArray[np.float32]


def embed_windows(network: ResonanceNetwork, windows: WindowSet, device: str | torch.device = "cpu") -> Embeddings:
    """Embed all windows without gradients on a device; the network is left there, in the mode that it was in."""
    network = network.to(device)

    def run(features: Mapping[str, Array]) -> Outputs:
        inputs = [torch.from_numpy(features[name]).to(device) for name in network.modalities]
        with torch.inference_mode():
            return tuple(each.float().cpu().numpy() for each in network(*inputs))

    with evaluation_mode(network):
        return embed_with(run, windows, PROCESSOR_BATCH if torch.device(device).type == "cpu" else BATCH)


def embed_with(
    run: Callable[[Mapping[str, Array]], Outputs], windows: WindowSet, batch: int = PROCESSOR_BATCH
) -> Embeddings:
    """Embed all windows with a function whose first outputs are embeddings, facets and gates."""
    count = len(windows.song)
    parts = [run(windows.rows(np.arange(at, min(at + batch, count)))) for at in range(0, count, batch)]
    embedding, facets, gates, *_ = (np.concatenate(part) for part in zip(*parts, strict=True))
    starts = windows.first[:-1]
    lengths = np.diff(windows.first)[:, None].astype(np.float32)
    return Embeddings(
        tracks=normalise(np.add.reduceat(embedding, starts, axis=0)),
        facets=normalise(np.add.reduceat(facets, starts, axis=0)),
        gates=np.asarray(np.add.reduceat(gates, starts, axis=0) / lengths, np.float32),
        windows=embedding,
    )


@contextmanager
def evaluation_mode(network: ResonanceNetwork) -> Iterator[None]:
    """Set evaluation mode within the context."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def normalise(vectors: Array) -> Array:
    """Normalise vectors (..., d) to length one; zero vectors stay zero."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12), np.float32)


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
            song, others = windows.song[rows], ~np.eye(len(rows), dtype=bool)
            scores = query_scores(
                embeddings.windows[rows], Relevance((song[:, None] == song[None, :]) & others, others)
            )
        segments = segment_recall(embeddings.windows, windows.song)
        return {name: mean(values) for name, values in scores.items()} | {"segment_recall": mean(segments)}

    return validate


def select_evaluated(songs: Sequence[Song]) -> list[int]:
    """Select the songs to evaluate, by position: up to 4000."""
    return select_albums(songs, RANKED_LIMIT)


def select_first_songs(song: NDArray[np.intp]) -> NDArray[np.intp]:
    """Select the windows of the first songs, up to the limit."""
    return np.flatnonzero(song <= song[min(RANKED_LIMIT, len(song)) - 1])


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


class HeldOutScores(NamedTuple):
    """Average precision of each song as a query for its album (other artists) and its artist (other albums), NaN where
    there is nothing to find; and for each window whether the nearest is of its song.
    """

    album: Scores
    artist: Scores
    segments: Scores

    def means(self) -> dict[str, float]:
        return {"album": mean(self.album), "artist": mean(self.artist), "segment recall": mean(self.segments)}


@dataclass(frozen=True)
class ModelComparison:
    """Means `before` and `after` by task, and the verdict.

    `difference` is that of the album task's mean average precision over its `queries`, with its 95 % `interval`
    (bootstrap over albums); `sentence` explains the verdict.
    """

    before: dict[str, float]
    after: dict[str, float]
    queries: int
    difference: float
    interval: tuple[float, float]
    verdict: Verdict
    sentence: str


def score_held_out(windows: Sequence[Array], songs: Sequence[Song]) -> HeldOutScores:
    """Score the retrieval of songs' albums, artists and windows by the embeddings (n, d) of each song's windows."""
    lengths, questions = [len(each) for each in windows], tasks(songs)
    stacked, song = np.concatenate(windows), np.repeat(np.arange(len(windows)), lengths)
    tracks = normalise(np.add.reduceat(stacked, np.cumsum([0, *lengths[:-1]]), axis=0))
    album, artist = (query_scores(tracks, questions[name])["map"] for name in ("album", "artist"))
    return HeldOutScores(album, artist, segment_recall(stacked, song))


def compare_models(before: HeldOutScores, after: HeldOutScores, songs: Sequence[Song]) -> ModelComparison:
    """Compare two models on the same songs, query by query, not by their means."""
    gains = after.album - before.album
    groups = album_groups(songs)
    answerable = np.flatnonzero(~np.isnan(gains))
    albums = len({groups[place] for place in answerable})
    low, high = bootstrap_interval(gains, groups)
    difference, lost = mean(gains), mean(before.segments) - mean(after.segments)
    verdict, sentence = decide_verdict(len(answerable), albums, difference, (low, high), lost)
    return ModelComparison(before.means(), after.means(), len(answerable), difference, (low, high), verdict, sentence)


def decide_verdict(
    queries: int, albums: int, difference: float, interval: tuple[float, float], lost: float
) -> tuple[Verdict, str]:
    """Decide the verdict, with a sentence, from the album task's gain and the segment recall that was `lost`."""
    if queries < FEWEST_QUERIES:
        return "cannot tell", (
            f"Whether it is better cannot be told: {queries} held-out tracks have others of their album by other "
            f"artists, {FEWEST_QUERIES} are needed; more compilations and soundtracks would help."
        )
    if albums < FEWEST_ALBUMS:
        return "cannot tell", (
            f"Whether it is better cannot be told: the {queries} held-out tracks that could tell are of "
            f"{'one album' if albums == 1 else f'{albums} albums'}, {FEWEST_ALBUMS} are needed; more compilations and "
            "soundtracks would help."
        )
    numbers = f"{difference:+.3f}, 95 % interval {interval[0]:+.3f} to {interval[1]:+.3f}"
    if interval[1] < 0:
        return "not better", f"It is worse at the held-out albums ({numbers})."
    if not interval[0] > 0:
        return "not better", f"It is not surely better at the held-out albums ({numbers})."
    if math.isnan(lost):
        return "not better", f"It finds albums better ({numbers}), but no track has windows to tell apart."
    if lost > SEGMENT_LOSS:
        return (
            "not better",
            f"It finds albums better ({numbers}), but tells windows of songs apart worse by {lost:.3f}.",
        )
    return "better", f"It is better at the held-out albums ({numbers})."
