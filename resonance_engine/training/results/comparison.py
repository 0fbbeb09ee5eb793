"""Compare a model before and after fine-tuning on held-out songs, with a verdict where the numbers suffice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from resonance_engine.evaluation.metrics import query_scores
from resonance_engine.evaluation.segments import segment_recall
from resonance_engine.evaluation.statistics import bootstrap_interval, mean
from resonance_engine.evaluation.tasks import album_groups, tasks
from resonance_engine.training.results.embed import embed_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resonance_engine.evaluation.metrics import Array
    from resonance_engine.network.model import ResonanceNetwork
    from resonance_engine.training.data.dataset import WindowSet
    from resonance_engine.training.data.songs import Song

FEWEST_QUERIES = 30
FEWEST_ALBUMS = 5  # with fewer, a coin toss per album would be an interval above zero too often
SEGMENT_LOSS = 0.02  # of segment recall that a better model may lose

Verdict = Literal["better", "not better", "cannot tell"]


class HeldOutScores(NamedTuple):
    """Average precision of each song as a query for its album (other artists) and its artist (other albums), NaN where
    there is nothing to find; and for each window whether the nearest is of its song.
    """

    album: Array
    artist: Array
    segments: Array

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


def score_held_out(network: ResonanceNetwork, windows: WindowSet, songs: Sequence[Song]) -> HeldOutScores:
    """Score a network's retrieval of these songs' albums, artists and windows."""
    embeddings = embed_windows(network, windows)
    questions = tasks(songs)
    album, artist = (query_scores(embeddings.tracks, questions[name])["map"] for name in ("album", "artist"))
    return HeldOutScores(album, artist, segment_recall(embeddings.windows, windows.song))


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
