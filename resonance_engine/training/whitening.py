"""A linear map that reduces variation within albums, learned in closed form from a few songs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

# Weight of the prior that all directions matter alike, in songs: with as many songs, a direction of mean variance
# counts half from them and half from the prior.
PRIOR_SONGS = 400


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
