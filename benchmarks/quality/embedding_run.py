"""Run all systems on all tracks, in turns, so that other load slows all; results stay in a folder between runs."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.systems import TrackAudio
from resonance_engine.console import progress_bar
from resonance_engine.errors import ResonanceError
from resonance_engine.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.quality.systems import Arrays, System

FAILURE = "failure"


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
    for place, path in progress_bar(len(tracks), iterable=tracks):
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


@dataclass
class CorpusEmbeddings:
    """A system's arrays by a track's path, and the error of each track that it failed on."""

    arrays: dict[str, Arrays] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def stack(self, paths: Sequence[str]) -> tuple[list[int], dict[str, NDArray[np.generic]]]:
        """Return which of these tracks have arrays, by place, and their arrays (tracks, ...) by name."""
        known = [place for place, path in enumerate(paths) if path in self.arrays]
        rows = [self.arrays[paths[place]] for place in known]
        return known, {name: np.stack([row[name] for row in rows]) for name in rows[0]} if rows else {}


class EmbeddingCache:
    """The cached results of one version of a system: arrays, or the error, of each track."""

    def __init__(self, folder: Path, name: str, version: str) -> None:
        self.folder = folder / f"{name}-{digest(version)}"

    def load(self, path: str) -> Arrays | str | None:
        """Return the result for a track; None where there is none, or no readable one."""
        try:
            with np.load(io.BytesIO(self.file(path).read_bytes()), allow_pickle=False) as arrays:
                return str(arrays[FAILURE]) if FAILURE in arrays else dict(arrays)
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
            return None

    def save(self, path: str, result: Arrays | str) -> None:
        arrays = {FAILURE: np.array(result)} if isinstance(result, str) else result
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_bytes(self.file(path), buffer.getvalue())

    def file(self, path: str) -> Path:
        return self.folder / f"{digest(path)}.npz"


def digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
