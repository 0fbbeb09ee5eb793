"""The corpus once more as small MP3s: what an encoder does to music is not the music, and the maps even it out."""

from __future__ import annotations

import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.errors import AudioError
from training.default_model.transcoding import decode, encode_mp3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BIT_RATE = 64_000


def copies(folder: Path, paths: Sequence[Path], keys: Sequence[bytes], processes: int) -> list[Path]:
    """Each file as an MP3 of 64 kbit/s in `folder`, named by its content key; the file itself where that fails.

    Those that are there already are taken as they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    targets = [folder / f"{key.hex()}.mp3" for key in keys]
    # FFmpeg's threads do not survive a fork.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(copied, paths, targets))


def copied(path: Path, target: Path) -> Path:
    """The MP3 of one file."""
    if not target.exists():
        try:
            sound = decode(path)
        except AudioError as error:
            print(f"no copy: {error}")
            return path
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            encode_mp3(sound, Path(folder), BIT_RATE).rename(target)
    return target


def in_step(
    first: NDArray[np.intp], keys: Sequence[bytes], other_first: NDArray[np.intp], other_keys: Sequence[bytes]
) -> list[bytes]:
    """The keys of the copies, but that of the track itself where its copy has more windows or fewer.

    `first` (songs + 1,) are the places of the songs' first windows.
    """
    same = np.diff(first) == np.diff(other_first)
    return [other if alike else key for key, other, alike in zip(keys, other_keys, same, strict=True)]
