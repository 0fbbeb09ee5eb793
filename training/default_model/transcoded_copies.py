"""Copies of the corpus as small MP3s, so that the heads can be made insensitive to lossy encoding."""

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


def transcode_files(folder: Path, paths: Sequence[Path], keys: Sequence[bytes], processes: int) -> list[Path]:
    """Encode each file as an MP3 of 64 kbit/s in `folder`, named by its content key; existing ones are kept.

    Returns the paths of the copies, that of the file itself where it cannot be decoded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    targets = [folder / f"{key.hex()}.mp3" for key in keys]
    # FFmpeg's threads do not survive a fork.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(transcode_file, paths, targets))


def transcode_file(path: Path, target: Path) -> Path:
    """Encode one file; return the path of its copy, or of itself where it cannot be decoded."""
    if not target.exists():
        try:
            audio = decode(path)
        except AudioError as error:
            print(f"no copy: {error}")
            return path
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            encode_mp3(audio, Path(folder), BIT_RATE).rename(target)
    return target


def matching_keys(
    first: NDArray[np.intp], keys: Sequence[bytes], other_first: NDArray[np.intp], other_keys: Sequence[bytes]
) -> list[bytes]:
    """Return the keys of the copies, or of the track itself where its copy has more windows or fewer.

    `first` (songs + 1,) are the places of the songs' first windows.
    """
    same = np.diff(first) == np.diff(other_first)
    return [other if alike else key for key, other, alike in zip(keys, other_keys, same, strict=True)]
