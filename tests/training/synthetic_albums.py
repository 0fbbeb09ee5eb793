"""A little library: albums of synthesised songs, each artist with notes, a tempo and a sound of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.audio_files import write_audio

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RATE = 8000

SETTINGS = (
    "data.segment.seconds=2",
    "data.segment.hop_seconds=1",
    "data.segment.segments_per_song=3",
    "data.held_out=0.3",
    "features.mel.sr=8000",
    "features.mel.n_mels=32",
    "features.chroma.bins=12",
    "features.tempo.win=64",
    "fusion.embed_dim=32",
    "train.batch_identities=8",
    "train.views_per_song=2",
    "train.crop_seconds=1",
    "train.lr=0.003",
)
"""Features and a network that take seconds, for songs of this library."""


def write_albums(folder: Path, artists: int = 8, songs: int = 3, seconds: float = 6.0) -> Path:
    """A folder of FLAC files, one album for each artist."""
    for artist in range(artists):
        album = folder / f"Artist {artist}" / f"Album {artist}"
        album.mkdir(parents=True)
        for number in range(songs):
            tags = {"artist": f"Artist {artist}", "album": f"Album {artist}", "title": f"Song {artist}.{number}"}
            samples = song(artist, number, seconds)
            write_audio(album / f"{number}.flac", samples[None, :], RATE, metadata=tags)
    return folder


def song(artist: int, number: int, seconds: float) -> NDArray[np.float32]:
    """Plucked notes of a scale, in a tempo and with overtones near the artist's own; not easily told apart."""
    style, own = np.random.default_rng(artist), np.random.default_rng((artist, number))
    scale = style.choice(12, 6, replace=False)
    beats = style.uniform(2.5, 3.5) + own.normal(0, 0.4)
    brightness = np.clip(style.uniform(0.4, 0.7) + own.normal(0, 0.08), 0.1, 0.9)
    root = style.uniform(150, 200) * 2 ** own.normal(0, 0.2)
    time = np.arange(round(seconds * RATE)) / RATE
    beat = np.floor(time * beats).astype(int)
    pitch = root * 2 ** (own.choice(scale, beat[-1] + 1)[beat] / 12)
    age = time - beat / beats
    tone = sum(brightness**k * np.sin(2 * np.pi * (k + 1) * pitch * age) for k in range(5))
    noise = own.uniform(0.01, 0.05) * own.standard_normal(len(time))
    made: NDArray[np.float32] = (0.15 * np.exp(-4 * age) * tone + noise).astype(np.float32)
    return made
