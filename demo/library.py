"""The demo's music library: the plan of its tracks, synthesised into tagged FLAC and MP3 files."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

import av
import numpy as np
from mediafile import MediaFile

from demo.styles import STYLES, Style
from demo.synthesis import RATE, Composition, Signal, render
from resonance_engine.console import progress_bar

if TYPE_CHECKING:
    from pathlib import Path

SEED = 7
ALBUMS = 2  # of each artist
TRACKS_PER_STYLE = 12
SECONDS = 50.0

# Encoder, sample format, bit rate (0: lossless) and options by file suffix.
# LAME's level 7 takes half the time of its default.
ENCODINGS: dict[str, tuple[str, str, int, dict[str, str]]] = {
    ".flac": ("flac", "s16", 0, {}),
    ".mp3": ("libmp3lame", "s16p", 192_000, {"compression_level": "7"}),
}
FRAME = 65_536


@dataclass(frozen=True)
class PlannedTrack:
    """A track's style, artist, place on its album, mean length in seconds and seed."""

    style: Style
    artist: str
    album: str
    number: int
    take: int
    seconds: float
    seed: tuple[int, int, int]

    @property
    def suffix(self) -> str:
        """Every second track is lossy."""
        return ".mp3" if self.take % 2 else ".flac"

    def title(self, composition: Composition) -> str:
        """Such as "Ambient 03 in D minor"."""
        return f"{self.style.name} {self.take:02d} in {composition.key}"

    def path(self, root: Path, composition: Composition) -> Path:
        """root/artist/album/NN title.suffix"""
        return root / self.artist / self.album / f"{self.number:02d} {self.title(composition)}{self.suffix}"

    def compose(self) -> tuple[Composition, np.random.Generator]:
        """Compose the track; return it with the generator that its performance goes on with."""
        rng = np.random.default_rng(self.seed)
        character = float(np.clip(self.style.artists[self.artist] + rng.normal(0.0, 0.12), 0.0, 1.0))
        return self.style.compose(rng, self.seconds, character), rng


def plan_library(seed: int, tracks_per_style: int, seconds: float) -> list[PlannedTrack]:
    """Plan tracks of `seconds` give or take a fifth, spread evenly over a style's artists and their albums."""
    tracks = []
    for style_number, style in enumerate(STYLES):
        albums = [(artist, f"{artist} {volume}") for artist in style.artists for volume in range(1, ALBUMS + 1)]
        numbers = dict.fromkeys(albums, 0)
        for take in range(1, tracks_per_style + 1):
            album = albums[(take - 1) * len(albums) // tracks_per_style]
            numbers[album] += 1
            own_seed = (seed, style_number, take)
            length = seconds * float(np.random.default_rng([*own_seed, 1]).uniform(0.8, 1.2))
            tracks.append(PlannedTrack(style, *album, numbers[album], take, length, own_seed))
    return tracks


def make_library(
    root: Path,
    seed: int = SEED,
    tracks_per_style: int = TRACKS_PER_STYLE,
    seconds: float = SECONDS,
    processes: int = 2,
) -> list[Path]:
    """Write the library below `root`, without other files, and leave existing tracks unchanged; return the paths."""
    tracks = plan_library(seed, tracks_per_style, seconds)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        written = pool.imap(partial(make_track, root), tracks)
        paths = list(progress_bar(len(tracks), desc="synthesised", iterable=written))
    for stray in {path for path in root.rglob("*") if path.is_file()}.difference(paths):
        stray.unlink()  # such as an older version's tracks
    return paths


def make_track(root: Path, track: PlannedTrack) -> Path:
    """Compose, render and write one track unless its file exists; return its path."""
    composition, rng = track.compose()
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
