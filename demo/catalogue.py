"""The styles, their invented artists, and the plan of the library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from demo.mix import Song, random_mastering, rendered
from demo.styles import (
    acoustic_guitar,
    ambient,
    chiptune,
    drum_and_bass,
    heavy_riffs,
    solo_piano,
    string_quartet,
    techno,
)

if TYPE_CHECKING:
    from pathlib import Path

    from demo.instruments import Signal

# (randomness, seconds, an artist's character from 0 to 1) -> song
Compose: TypeAlias = Callable[[np.random.Generator, float, float], Song]


@dataclass(frozen=True)
class Artist:
    """An invented artist with one album; `character` is where in the style's range they play."""

    name: str
    album: str
    year: int
    character: float


@dataclass(frozen=True)
class Style:
    """A genre and the two artists who play it."""

    name: str
    compose: Compose
    artists: tuple[Artist, Artist]


STYLES = (
    Style(
        "Ambient",
        ambient.compose,
        (Artist("Peat Lantern", "Below the Weather", 2004, 0.2), Artist("Vitrine", "Slow Glass", 2017, 0.8)),
    ),
    Style(
        "Techno",
        techno.compose,
        (Artist("Depot Nine", "Night Shift", 1998, 0.2), Artist("Acetone Parade", "Loading Bay", 2012, 0.85)),
    ),
    Style(
        "Solo Piano",
        solo_piano.compose,
        (
            Artist("Edda Lorn", "Felt Studies", 2015, 0.2),
            Artist("Marius Kvist", "Recital in June", 1989, 0.8),
        ),
    ),
    Style(
        "Chiptune",
        chiptune.compose,
        (
            Artist("Cartridge Choir", "Save Point", 1991, 0.25),
            Artist("Joystick Ferns", "Level Select", 2009, 0.8),
        ),
    ),
    Style(
        "Drum and Bass",
        drum_and_bass.compose,
        (
            Artist("Tidal Rota", "Warm Current", 2003, 0.15),
            Artist("Gravel Unit", "Undertow Signals", 2016, 0.85),
        ),
    ),
    Style(
        "String Quartet",
        string_quartet.compose,
        (
            Artist("Orrin Quartet", "Four Chorales", 1994, 0.2),
            Artist("Halm Quartet", "Dances for Four", 2011, 0.8),
        ),
    ),
    Style(
        "Acoustic Guitar",
        acoustic_guitar.compose,
        (
            Artist("Tomas Reel", "Nylon Letters", 1978, 0.15),
            Artist("Wren Alder", "Steel and Cedar", 2019, 0.8),
        ),
    ),
    Style(
        "Heavy Riffs",
        heavy_riffs.compose,
        (Artist("Basalt Mare", "Sunken Hall", 2006, 0.1), Artist("Kiln Engine", "Redline", 1987, 0.9)),
    ),
)


@dataclass(frozen=True)
class Track:
    """One planned track: everything that decides how it will sound and where it will lie."""

    style: Style
    artist: Artist
    number: int
    tracks: int
    take: int
    seconds: float
    seed: tuple[int, int, int]

    @property
    def suffix(self) -> str:
        """Every second track is lossy."""
        return ".mp3" if self.take % 2 else ".flac"

    def title(self, song: Song) -> str:
        """Such as "Ambient 03 in D minor"."""
        return f"{self.style.name} {self.take:02d} in {song.key}"

    def path(self, root: Path, song: Song) -> Path:
        """root/artist/album/NN title.suffix"""
        return root / self.artist.name / self.artist.album / f"{self.number:02d} {self.title(song)}{self.suffix}"


def planned(seed: int, tracks_per_style: int, seconds: float) -> list[Track]:
    """The library's tracks: each lasts `seconds` give or take a fifth; each artist has half of a style."""
    tracks = []
    half = -(-tracks_per_style // 2)
    for style_number, style in enumerate(STYLES):
        for take in range(1, tracks_per_style + 1):
            second = take > half
            own_seed = (seed, style_number, take)
            length = seconds * float(np.random.default_rng([*own_seed, 1]).uniform(0.8, 1.2))
            tracks.append(
                Track(
                    style=style,
                    artist=style.artists[second],
                    number=take - half * second,
                    tracks=tracks_per_style - half if second else half,
                    take=take,
                    seconds=length,
                    seed=own_seed,
                )
            )
    return tracks


def composed(track: Track) -> tuple[Song, np.random.Generator]:
    """The track's score, and the generator that its performance goes on with."""
    rng = np.random.default_rng(track.seed)
    character = float(np.clip(track.artist.character + rng.normal(0.0, 0.12), 0.0, 1.0))
    return track.style.compose(rng, track.seconds, character), rng


def performed(song: Song, rng: np.random.Generator) -> Signal:
    """The song, mastered at random, as float32 (2, n) at 44.1 kHz."""
    mastering = random_mastering(rng)
    return rendered(song, mastering, rng)
