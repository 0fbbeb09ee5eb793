"""Synthesise the demo's music library: tagged FLAC and MP3 files."""

from __future__ import annotations

import multiprocessing
from functools import partial
from typing import TYPE_CHECKING, cast

import av
import numpy as np
from mediafile import MediaFile
from tqdm import tqdm

from demo.catalogue import PlannedTrack, compose, plan_library
from demo.instruments import RATE, Signal
from demo.mix import render

if TYPE_CHECKING:
    from pathlib import Path

SEED = 7
TRACKS_PER_STYLE = 12
SECONDS = 50.0

# Encoder, sample format, bit rate (0: lossless) and options by file suffix.
# LAME's level 7 takes half the time of its default.
ENCODINGS: dict[str, tuple[str, str, int, dict[str, str]]] = {
    ".flac": ("flac", "s16", 0, {}),
    ".mp3": ("libmp3lame", "s16p", 192_000, {"compression_level": "7"}),
}
FRAME = 65_536


def make_library(
    root: Path,
    seed: int = SEED,
    tracks_per_style: int = TRACKS_PER_STYLE,
    seconds: float = SECONDS,
    processes: int = 2,
) -> list[Path]:
    """Write the library below `root`, leaving existing files unchanged; return the paths."""
    tracks = plan_library(seed, tracks_per_style, seconds)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        written = pool.imap(partial(make_track, root), tracks)
        return list(tqdm(written, desc="synthesised", total=len(tracks), unit=" tracks", disable=None))


def make_track(root: Path, track: PlannedTrack) -> Path:
    """Compose, render and write one track unless its file exists; return its path."""
    composition, rng = compose(track)
    path = track.path(root, composition)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"unfinished-{path.name}")
        write_audio(unfinished, render(composition, rng))
        tags = MediaFile(unfinished)
        tags.update(
            {
                "title": track.title(composition),
                "artist": track.artist,
                "albumartist": track.artist,
                "album": track.album,
                "genres": [track.style.name],
                "track": track.number,
            }
        )
        tags.save()
        unfinished.replace(path)
    return path


def write_audio(path: Path, signal: Signal) -> None:
    """Write float32 (2, n) samples in the format of the path's suffix."""
    codec, sample_format, bit_rate, options = ENCODINGS[path.suffix]
    whole = np.clip(np.round(signal * 32_767.0), -32_768, 32_767).astype(np.int16)
    with av.open(str(path), "w") as container:
        added = container.add_stream(codec, rate=RATE, layout="stereo", format=sample_format, options=options)
        stream = cast("av.AudioStream", added)
        if bit_rate:
            stream.bit_rate = bit_rate
        for start in range(0, whole.shape[1], FRAME):
            chunk = whole[:, start : start + FRAME]
            samples = chunk if sample_format.endswith("p") else chunk.T.reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), sample_format, "stereo")
            frame.sample_rate = RATE
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
