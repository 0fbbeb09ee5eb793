"""Fine-tune a model on a user's own music, by the embeddings that it gave, and compare it with the original."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from resonance_engine.evaluation.tasks import album_groups
from resonance_engine.network.files import load_network
from resonance_engine.training.data.splits import HELD_OUT, SEED, split_songs
from resonance_engine.training.results.validation import (
    ModelComparison,
    compare_models,
    embed_windows,
    normalise,
    score_held_out,
    select_evaluated,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from resonance_engine.encoder.manifest import Manifest
    from resonance_engine.network.model import ResonanceNetwork
    from resonance_engine.training.data.dataset import WindowSet
    from resonance_engine.training.data.songs import Song

Array = NDArray[np.float32]
# Weight of the prior that all directions matter alike, in songs: with as many songs, a direction of mean variance
# counts half from them and half from the prior.
PRIOR_SONGS = 400


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned network, its manifest, whose id its file will give it, and its comparison on the held-out songs.

    It learned from `learned` songs, and `judged` others were held out.
    """

    network: ResonanceNetwork
    manifest: Manifest
    judgement: ModelComparison
    learned: int
    judged: int


def fine_tune(model: Path, songs: Sequence[Song], windows: Sequence[Array]) -> FineTuned:
    """Fit a model to songs, and compare it on held-out ones, at most some 4000.

    `model` is a weights file or an exported model, `windows` (n, d) are the embeddings that it gave the windows of each
    song: what is learned is a linear map of them. Raises ModelError for a file that is no model, ConfigError where
    nothing can be held out.
    """
    network, manifest = load_network(model)
    training, apart = split_songs(songs, HELD_OUT, SEED)
    apart = [apart[place] for place in select_evaluated([songs[i] for i in apart])]
    matrix = fit_albums([windows[i] for i in training], [songs[i] for i in training])
    tuned = deepcopy(network)
    tuned.transform(torch.from_numpy(matrix))
    held_out, songs_apart = [normalise(windows[i]) for i in apart], [songs[i] for i in apart]
    before = score_held_out(held_out, songs_apart)
    after = score_held_out([normalise(each @ matrix.T) for each in held_out], songs_apart)
    judgement = compare_models(before, after, songs_apart)
    return FineTuned(tuned, replace(manifest, id="", metric=True), judgement, len(training), len(apart))


def fit_albums(windows: Sequence[Array], songs: Sequence[Song]) -> Array:
    """Return the map (d, d) by which the windows of songs vary less within their albums."""
    album = np.unique(album_groups(songs), return_inverse=True)[1]
    lengths = [len(each) for each in windows]
    return fit_whitening(normalise(np.concatenate(windows)), np.repeat(album, lengths), len(windows))


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
