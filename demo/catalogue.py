"""The plan of the demo's library: styles, artists, albums and tracks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from demo.mix import Composition
from demo.styles import acoustic_guitar, ambient, solo_piano, techno

if TYPE_CHECKING:
    from pathlib import Path


# (randomness, seconds, character from 0 to 1) -> composition
Compose: TypeAlias = Callable[[np.random.Generator, float, float], Composition]

ALBUMS = 2  # of each artist


@dataclass(frozen=True)
class Style:
    """A genre, and its artists by name with their place in the style's range (0 to 1)."""

    name: str
    compose: Compose
    artists: dict[str, float]


STYLES = (
    Style("Ambient", ambient.compose, {"Dark Ambient": 0.2, "Bright Ambient": 0.8}),
    Style("Techno", techno.compose, {"Dub Techno": 0.2, "Acid Techno": 0.85}),
    Style("Solo Piano", solo_piano.compose, {"Soft Piano": 0.2, "Bright Piano": 0.8}),
    Style("Acoustic Guitar", acoustic_guitar.compose, {"Nylon Guitar": 0.15, "Steel Guitar": 0.8}),
)


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


def compose(track: PlannedTrack) -> tuple[Composition, np.random.Generator]:
    """Compose a track; return it with the generator that its performance goes on with."""
    rng = np.random.default_rng(track.seed)
    character = float(np.clip(track.style.artists[track.artist] + rng.normal(0.0, 0.12), 0.0, 1.0))
    return track.style.compose(rng, track.seconds, character), rng
