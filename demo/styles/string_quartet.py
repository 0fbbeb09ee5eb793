"""String quartet: four voices that move as little as they can from chord to chord."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.instruments import bowed, plucked
from demo.mix import Part, Room, Song
from demo.theory import PROGRESSIONS, Key, Note, choice, nearest_octave, random_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

# Cello, viola, second and first violin: the middle of each range as a MIDI pitch, and the seat.
RANGES = ((45, 0.5), (57, 0.2), (66, -0.25), (73, -0.5))


def compose(rng: np.random.Generator, seconds: float, character: float) -> Song:
    """`character` goes from a chorale (0) to a livelier texture with plucked lower voices (1)."""
    key = random_key(rng, ("major", "minor", "minor", "lydian"))
    tempo = rng.uniform(60.0, 116.0)
    beats = int(seconds * tempo / 60.0) + 1
    hold = choice(rng, (2, 2, 4))
    harmony = [*choice(rng, PROGRESSIONS), *choice(rng, PROGRESSIONS), *choice(rng, PROGRESSIONS)[:3], 4]
    lines = _voice_leading(key, harmony, beats // hold + 1)
    wood = 0.2 + 0.4 * character + rng.uniform(-0.15, 0.25)
    plucking = rng.random() < 0.1 + 0.4 * character
    parts = []
    for voice, (line, (_, pan)) in enumerate(zip(lines, RANGES, strict=True)):
        restless = rng.random() < 0.3 + 0.5 * character
        notes = [note for turn in range(len(line)) for note in _figure(rng, key, line, turn, hold, restless)]
        swell = [
            Note(n.start, n.length, n.pitch, n.velocity * (0.75 + 0.25 * ((n.start / hold) % 4) / 3)) for n in notes
        ]
        if plucking and voice < 2:
            parts.append(Part(plucked(rng, 0.35, 0.9), swell, level=0.7, pan=pan, send=0.4, looseness=0.015))
        else:
            parts.append(Part(bowed(wood), swell, level=0.5, pan=pan, send=0.4, looseness=0.02))
    return Song(key, tempo, seconds, parts, Room(rng.uniform(1.2, 3.0), rng.uniform(0.2, 0.7)))


def _voice_leading(key: Key, harmony: Sequence[int], chords: int) -> list[list[int]]:
    """For each voice its pitches; the cello takes the root, the others the nearest tone of the chord."""
    lines = []
    for voice, (middle, _) in enumerate(RANGES):
        line: list[int] = []
        at = float(middle)
        for turn in range(chords):
            tones = key.chord(harmony[turn % len(harmony)])
            # The pull towards the middle of the range keeps a voice from drifting out of it.
            target = 0.7 * at + 0.3 * middle + (2 if voice == 3 and turn % 4 == 2 else 0)
            candidates = [nearest_octave(tone, target) for tone in (tones[:1] if voice == 0 else tones)]
            line.append(min(candidates, key=lambda pitch: abs(pitch - target)))
            at = line[-1]
        lines.append(line)
    return lines


def _figure(
    rng: np.random.Generator, key: Key, line: Sequence[int], turn: int, hold: int, restless: bool
) -> list[Note]:
    """A held note, or one that passes by step to the next."""
    start, pitch = float(hold * turn), line[turn]
    following = line[(turn + 1) % len(line)]
    if not restless or rng.random() < 0.4:
        return [Note(start, hold, pitch, 0.7)]
    scale = [key.pitch(degree) for degree in range(-21, 28)]
    passing = min(scale, key=lambda p: abs(p - (pitch + following) / 2.0 - 0.5))
    half = hold / 2.0
    if rng.random() < 0.5:
        return [Note(start, half, pitch, 0.7), Note(start + half, half, passing, 0.6)]
    quarter = hold / 4.0
    return [
        Note(start, half, pitch, 0.75),
        Note(start + half, quarter, passing, 0.6),
        Note(start + half + quarter, quarter, following, 0.6),
    ]
