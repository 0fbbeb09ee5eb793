"""What a track's tempo and key must be, next to the seeds' or by themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resonance_engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OCTAVES = (0.5, 1.0, 2.0)  # trackers, and listeners, take a beat for half or twice its rate
LARGEST_RATIO = 10.0  # above it, numbers are beats per minute
NEAR = 0.03  # a single tempo is met within this share
CIRCLE = ("C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#", "F")  # of fifths
FLATS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#"}
RELATIVE = 3  # fifths from a major key up to its relative minor
UNKNOWN_TEMPO, UNKNOWN_KEY, TEMPO, KEY = "no tempo known", "no key known", "tempo", "key"


@dataclass(frozen=True)
class Tempo:
    """Bounds of a tempo: beats per minute, or multiples of a seed's where `relative`."""

    low: float
    high: float
    relative: bool

    @classmethod
    def parse(cls, text: str) -> Tempo:
        """`0.95-1.05` relative to the seeds, `120-130` or `124` in beats per minute; ConfigError for anything else."""
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:-\s*(\d+(?:\.\d+)?))?\s*", text)
        if found is None:
            raise ConfigError(
                f"A tempo is written 0.95-1.05 (times the seed's) or 120-130 (beats a minute), not {text!r}."
            )
        low = float(found[1])
        high = low if found[2] is None else float(found[2])
        if found[2] is None:
            low, high = low * (1 - NEAR), high * (1 + NEAR)
        if not 0 < low <= high or (low <= LARGEST_RATIO) != (high <= LARGEST_RATIO):
            raise ConfigError(
                f"The bounds of a tempo rise from the first to the second, both below {LARGEST_RATIO:.0f} (times the "
                f"seed's) or both above (beats a minute), not {text!r}."
            )
        return cls(low, high, high <= LARGEST_RATIO)

    def allows(self, tempo: float, seeds: Sequence[float]) -> bool:
        """Whether a tempo, or half or twice of it, lies within the bounds, of any of the seeds' where relative."""
        bases = seeds if self.relative else (1.0,)
        return any(self.low <= octave * tempo / base <= self.high for octave in OCTAVES for base in bases)


@dataclass(frozen=True)
class Constraints:
    """What a track must meet: a `tempo`, and with `compatible_key` a key that mixes with that of a seed."""

    tempo: Tempo | None = None
    compatible_key: bool = False

    def refusal(self, attributes: Mapping[str, Any], seeds: Sequence[Mapping[str, Any]]) -> str:
        """Why a track is turned down, "tempo", "key", or that one is not known; empty where it is not.

        Raises ConfigError where no seed has the tempo or key that others are compared with.
        """
        if self.tempo is not None:
            tempo = tempo_of(attributes)
            if tempo is None:
                return UNKNOWN_TEMPO
            if not self.tempo.allows(tempo, self.seed_tempi(seeds) if self.tempo.relative else ()):
                return TEMPO
        if self.compatible_key:
            key = key_of(attributes)
            if key is None:
                return UNKNOWN_KEY
            if not any(compatible(key, each) for each in self.seed_keys(seeds)):
                return KEY
        return ""

    @staticmethod
    def seed_tempi(seeds: Sequence[Mapping[str, Any]]) -> list[float]:
        found = [tempo for tempo in map(tempo_of, seeds) if tempo is not None]
        if not found:
            raise ConfigError("No track to start from has a tempo that was measured; give beats a minute, as 120-130.")
        return found

    @staticmethod
    def seed_keys(seeds: Sequence[Mapping[str, Any]]) -> list[tuple[int, str]]:
        found = [key for key in map(key_of, seeds) if key is not None]
        if not found:
            raise ConfigError("No track to start from has a key that was measured; leave the key out.")
        return found


def tempo_of(attributes: Mapping[str, Any]) -> float | None:
    """The tempo among measured attributes, beats a minute; None where there is none."""
    tempo = attributes.get("tempo")
    is_number = isinstance(tempo, (int, float)) and not isinstance(tempo, bool)
    return float(tempo) if tempo is not None and is_number and tempo > 0 else None


def key_of(attributes: Mapping[str, Any]) -> tuple[int, str] | None:
    """The key among measured attributes, as its place on the circle of fifths and "major" or "minor"."""
    tonic, _, mode = str(attributes.get("key") or "").partition(" ")
    tonic = FLATS.get(tonic, tonic)
    return (CIRCLE.index(tonic), mode) if tonic in CIRCLE and mode in ("major", "minor") else None


def compatible(one: tuple[int, str], other: tuple[int, str]) -> bool:
    """Whether two keys mix: the same, a fifth apart, or relative major and minor (neighbours on the Camelot wheel)."""
    apart = (one[0] - other[0]) % 12
    if one[1] == other[1]:
        return apart in (0, 1, 11)
    return apart == (RELATIVE if one[1] == "minor" else 12 - RELATIVE)
