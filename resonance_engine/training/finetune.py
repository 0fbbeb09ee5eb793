"""Fine-tune a model on a user's own music within minutes, and compare it with the original."""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from resonance_engine.errors import TrainingError
from resonance_engine.evaluation.tasks import album_groups
from resonance_engine.network.files import load_network
from resonance_engine.training.data.cache import SqliteCache, shapes_of
from resonance_engine.training.data.dataset import WindowSet
from resonance_engine.training.data.precompute import precompute
from resonance_engine.training.data.songs import label_songs
from resonance_engine.training.data.splits import order_groups, split_songs
from resonance_engine.training.results.validation import (
    ModelComparison,
    compare_models,
    embed_windows,
    score_held_out,
    select_evaluated,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from resonance_engine.encoder.manifest import Manifest
    from resonance_engine.features.spec import FeatureSpec
    from resonance_engine.network.model import ResonanceNetwork
    from resonance_engine.training.data.cache import FeatureCache
    from resonance_engine.training.data.songs import Song

    Report = Callable[[str], None]

HELD_OUT = 0.25
FEATURE_SHARE = 0.8  # share of the time that measuring features may take; the rest is for embedding them
EMBEDDED = 1 + HELD_OUT  # times that a song is embedded on average: those held out by both networks
FEWEST_SONGS = 200  # that are used whatever the time: they take seconds
PROBE = 4  # songs whose embedding is timed
IN_MEMORY = 2e9  # bytes of features that are read into memory as a whole
SEED = 0
REPORT_SECONDS = 15.0
Array = NDArray[np.float32]
# Weight of the prior that all directions matter alike, in songs: with as many songs, a direction of mean variance
# counts half from them and half from the prior.
PRIOR_SONGS = 400


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned network, its manifest, whose id its file will give it, and its comparison on the held-out songs."""

    network: ResonanceNetwork
    manifest: Manifest
    judgement: ModelComparison


def fine_tune(
    model: Path, songs: Sequence[Song], cache_folder: Path, minutes: float, processes: int, report: Report
) -> FineTuned:
    """Fit a model to songs within about so many minutes, and compare it on held-out songs.

    `model` is a weights file or an exported model; features are kept in the folder `cache_folder`, so that the next
    time goes faster. Measuring and embedding them takes nearly all of the time: of a large library, a random part is
    used, whole artists and albums of it, and at most some 4000 tracks judge. Raises ModelError for a file that is no
    model, TrainingError where no song can be decoded, ConfigError where nothing can be held out.
    """
    began = time.monotonic()
    until, deadline = began + 60 * minutes * FEATURE_SHARE, began + 60 * minutes
    network, manifest = load_network(model)
    cache = SqliteCache(cache_folder, manifest.spec)
    try:
        known, keys = compute_features(songs, cache, manifest.spec, processes, until, report)
        count = count_embeddable(network, build_windows(cache, known[:PROBE], keys[:PROBE]), deadline)
        if count < len(known):
            report(f"no time to learn from all: {count:,} of {len(known):,} tracks are used")
            known, keys = known[:count], keys[:count]
        training, apart = split_songs(known, HELD_OUT, SEED)
        apart = [apart[place] for place in select_evaluated([known[i] for i in apart])]
        windows = {
            name: build_windows(cache, [known[i] for i in part], [keys[i] for i in part])
            for name, part in (("training", training), ("held out", apart))
        }
        songs_apart = [known[i] for i in apart]
        report(f"{len(training):,} tracks to learn from, {len(apart):,} to judge by")
        before = score_held_out(network, windows["held out"], songs_apart)
        tuned = adapt(network, windows["training"])
        after = score_held_out(tuned, windows["held out"], songs_apart)
    finally:
        cache.close()
    return FineTuned(tuned, replace(manifest, id="", metric=True), compare_models(before, after, songs_apart))


def compute_features(
    songs: Sequence[Song], cache: FeatureCache, spec: FeatureSpec, processes: int, until: float, report: Report
) -> tuple[list[Song], list[bytes]]:
    """Compute features until the clock shows `until`; returns the songs, every recording once, and their keys."""
    ordered = [songs[i] for group in order_groups(songs, HELD_OUT, SEED) for i in group]
    by_key: dict[bytes, Song] = {}
    reported = time.monotonic()
    results = precompute([song.path for song in ordered], cache, spec, processes)
    for place, (song, result) in enumerate(zip(ordered, results, strict=False), start=1):
        if result.error is None:
            by_key.setdefault(result.key, song)
        if time.monotonic() > until and place < len(ordered):
            report(f"no time to analyse all: {place:,} of {len(ordered):,} tracks are used")
            break
        if time.monotonic() - reported > REPORT_SECONDS:
            reported = time.monotonic()
            report(f"analysed {place:,} of {len(ordered):,} tracks")
    if not by_key:
        raise TrainingError(f"None of {len(songs):,} tracks can be analysed, so there is nothing to learn from.")
    return list(by_key.values()), list(by_key)


def count_embeddable(network: ResonanceNetwork, probe: WindowSet, deadline: float) -> int:
    """Estimate how many songs can be used before the clock shows `deadline`, from the time that a few take."""
    embed_windows(network, probe)  # the first time is slower
    began = time.monotonic()
    embed_windows(network, probe)
    now = time.monotonic()
    seconds = max(now - began, 1e-6) / len(probe)
    return max(FEWEST_SONGS, int((deadline - now) / (seconds * EMBEDDED)))


def build_windows(cache: FeatureCache, songs: Sequence[Song], keys: Sequence[bytes]) -> WindowSet:
    """Open the windows of songs grouped by album, in memory if they are not too many."""
    spec = cache.spec
    size = sum(2 * int(np.prod(shape)) for shape in shapes_of(spec).values())
    whole = len(keys) * spec.decoding.windows * size < IN_MEMORY
    return WindowSet(cache, keys, label_songs(songs)[0], album_groups(songs), preload=whole)


def adapt(network: ResonanceNetwork, windows: WindowSet) -> ResonanceNetwork:
    """Return a copy of a network whose embeddings vary less within the albums of these windows."""
    vectors = embed_windows(network, windows).windows
    tuned = deepcopy(network)
    tuned.transform(torch.from_numpy(fit_whitening(vectors, windows.group[windows.song], len(windows))))
    return tuned


def fit_whitening(windows: Array, album: NDArray[np.integer], songs: int) -> Array:
    """Return the map (d, d) that whitens how windows (n, d) of unit length vary around the mean of their `album` (n,).

    Within-class covariance normalisation (Hatch, Kajarekar & Stolcke 2006), shrunk towards doing nothing the fewer
    `songs` the windows are of: (S + λ)^-½ with S of mean variance 1 and λ = PRIOR_SONGS / songs, scaled to
    leave directions of mean variance as they are. The identity where nothing varies.
    """
    values = windows.astype(np.float64)
    members = np.unique(album, return_inverse=True)[1]
    sums = np.zeros((members.max() + 1, values.shape[1]))
    np.add.at(sums, members, values)
    apart = values - (sums / np.bincount(members)[:, None])[members]
    scatter = apart.T @ apart / len(apart)
    variance = np.trace(scatter) / len(scatter)
    if variance < 1e-12:
        return np.eye(len(scatter), dtype=np.float32)
    shrinkage = PRIOR_SONGS / songs
    variances, directions = np.linalg.eigh(scatter / variance)
    scales = np.sqrt((1 + shrinkage) / (np.maximum(variances, 0) + shrinkage))
    return np.asarray((directions * scales) @ directions.T, np.float32)
