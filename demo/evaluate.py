"""How often a track's nearest neighbours are of its own style, whatever describes the tracks."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from resonance_engine.audio.windows import read_windows
from resonance_engine.errors import AudioError
from resonance_engine.features.front_end import FrontEnd

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.features.spec import FeatureSpec

Vectors: TypeAlias = NDArray[np.float32]
# The front end's features of a track's windows -> one vector.
Describe: TypeAlias = Callable[[Mapping[str, NDArray[np.float32]]], Vectors]


def style_share(vectors: Vectors, labels: Sequence[str], k: int = 5) -> float:
    """The share of the query's style among its first k neighbours by cosine, mean over all tracks as queries.

    `vectors` is (n, d) with n > k; of equally near tracks the earlier ones come first.
    """
    count = len(labels)
    if vectors.shape[0] != count or not 0 < k < count:
        raise ValueError(f"expected one label per vector and 0 < k < {len(vectors)}, got {count} labels and k = {k}")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions = vectors / np.where(lengths > 0, lengths, 1)
    similarity = directions @ directions.T
    np.fill_diagonal(similarity, -np.inf)
    neighbours = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    styles = np.asarray(labels)
    return float((styles[neighbours] == styles[:, None]).mean())


def chance_share(labels: Sequence[str]) -> float:
    """What `style_share` comes to on average when neighbours are drawn by lot."""
    styles = np.asarray(labels)
    same = (styles[:, None] == styles[None, :]).sum(axis=1) - 1
    return float(same.mean() / (len(styles) - 1))


def described(
    paths: Sequence[Path], describers: Mapping[str, Describe], spec: FeatureSpec, processes: int = 2
) -> tuple[list[int], dict[str, Vectors]]:
    """Every track decoded and measured once, then described in each way.

    Returns which paths could be read (their indices), and by name of the describer their vectors.
    """
    listen = partial(_heard, describers=tuple(describers.values()), spec=spec)
    if processes == 1:
        heard = [listen(path) for path in paths]
    else:
        # Matrix products on threads of their own, in processes side by side, take twice the time.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            heard = list(pool.imap(listen, paths))
    readable = [index for index, vectors in enumerate(heard) if vectors]
    if not readable:
        return [], {}
    columns = zip(*(heard[index] for index in readable), strict=True)
    return readable, {name: np.stack(column) for name, column in zip(describers, columns, strict=True)}


def _heard(path: Path, describers: Sequence[Describe], spec: FeatureSpec) -> list[Vectors]:
    try:
        recording = read_windows(path, spec.decoding)
    except AudioError:
        return []
    features = FrontEnd(spec)(recording.windows)
    return [describe(features) for describe in describers]
