"""Features of a training set, computed once and kept on disk: one file per recording and spec."""

from __future__ import annotations

import io
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.atomic import write_bytes
from resonance_engine.audio import content_key, read_windows
from resonance_engine.errors import AudioError
from resonance_engine.features import FRONT_END_VERSION, FrontEnd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from resonance_engine.features.spec import FeatureSpec


@dataclass(frozen=True)
class CachedFeatures:
    """Where the features of one recording are kept; arrays (windows, ...) of float16, by modality."""

    path: Path

    def read(self) -> dict[str, NDArray[np.float16]]:
        with np.load(self.path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}


def cached(audio: Path, folder: Path, spec: FeatureSpec) -> CachedFeatures | AudioError:
    """The features of a file, computed if they are not in the cache `folder` yet."""
    try:
        place = folder / f"v{FRONT_END_VERSION}-{spec.digest()}" / f"{content_key(audio).hex()}.npz"
        if not place.exists():
            features = FrontEnd(spec)(read_windows(audio, spec.decoding).windows)
            buffer = io.BytesIO()
            arrays: dict[str, Any] = {name: values.astype(np.float16) for name, values in features.items()}
            np.savez(buffer, allow_pickle=False, **arrays)
            place.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(place, buffer.getvalue())
    except AudioError as error:
        return error
    return CachedFeatures(place)


def cached_all(
    audio: Sequence[Path], folder: Path, spec: FeatureSpec, processes: int = 2
) -> Iterator[CachedFeatures | AudioError]:
    """`cached` for many files, side by side, in their order."""
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(cached, audio, repeat(folder), repeat(spec), chunksize=2)
