"""Run all systems on all tracks, in turns, so that any other load on the machine slows all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from benchmarks.quality.cache import CorpusEmbeddings, EmbeddingCache
from benchmarks.quality.systems import TrackAudio
from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from benchmarks.quality.systems import Arrays, System


def embed_corpus(
    systems: Sequence[System],
    root: Path,
    paths: Sequence[str],
    folder: Path,
    fresh: bool = False,
    only: Collection[str] | None = None,
) -> dict[str, CorpusEmbeddings]:
    """Embed the tracks with each system, by its name; take from the cache in `folder` what it has, unless `fresh`.

    A track's place among all `paths` determines its fold, also where `only` some of them are embedded.
    """
    caches = {system.name: EmbeddingCache(folder, system.name, system.version) for system in systems}
    results = {system.name: CorpusEmbeddings() for system in systems}
    tracks = [(place, path) for place, path in enumerate(paths) if only is None or path in only]
    for place, path in tqdm(tracks, unit=" tracks", disable=None):
        audio = TrackAudio(place, root / path)
        for system in systems:
            cache = caches[system.name]
            result = None if fresh else cache.load(path)
            if result is None:
                result = embed(system, audio)
                cache.save(path, result)
            if isinstance(result, str):
                results[system.name].failures[path] = result
            else:
                results[system.name].arrays[path] = result
    return results


def embed(system: System, audio: TrackAudio) -> Arrays | str:
    """Return a system's arrays for a track, or the error."""
    try:
        return system.embed(audio).arrays
    except ResonanceError as error:
        return str(error)


def time_systems(
    systems: Sequence[System], root: Path, paths: Sequence[str], sample: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return the mean CPU seconds of each step of each system over a sample of the tracks.

    The first track is embedded twice: the first time loads libraries and filters, which is no track's cost.
    """
    spent: dict[str, dict[str, list[float]]] = {system.name: {} for system in systems}
    for number, path in enumerate([*sample[:1], *sample]):
        audio = TrackAudio(paths.index(path), root / path)
        for system in systems:
            try:
                seconds = system.embed(audio).seconds
            except ResonanceError:
                continue
            for step, value in seconds.items() if number else ():
                spent[system.name].setdefault(step, []).append(value)
    return {name: {step: float(np.mean(values)) for step, values in steps.items()} for name, steps in spent.items()}
