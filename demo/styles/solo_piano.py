"""Solo piano: a tune over broken chords, unaccompanied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.instruments import piano
from demo.mix import Composition, InstrumentPart, Room
from demo.theory import PROGRESSIONS, Key, Note, choice, melody, random_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

# Lengths in beats that fill a bar; negative ones are rests.
CELLS = {
    4: ((2, 1, 1), (1, 1, 1, 1), (1.5, 0.5, 2), (-1, 1, 1, 1), (1, 0.5, 0.5, 2), (3, 1)),
    3: ((2, 1), (1, 1, 1), (1.5, 0.5, 1), (1, 0.5, 0.5, 1), (3,)),
}
# Which note of the chord the left hand plays on each quaver; None is a rest.
ACCOMPANIMENTS: dict[int, tuple[tuple[int | None, ...], ...]] = {
    4: (
        (0, 2, 1, 2, 0, 2, 1, 2),
        (0, 1, 2, 3, 2, 1, 2, 1),
        (0, None, 2, None, 3, None, 2, None),
        (0, 2, 3, 4, 3, 2, 3, 2),
    ),
    3: ((0, None, 2, None, 3, None), (0, 1, 2, 3, 2, 1), (0, 2, 3, 2, 3, 2)),
}


def compose(rng: np.random.Generator, seconds: float, character: float) -> Composition:
    """Compose; `character` goes from a felted upright (0) to a bright concert grand (1)."""
    key = random_key(rng, ("major", "minor", "dorian", "major"))
    metre = choice(rng, (4, 4, 3))
    tempo = rng.uniform(72.0, 132.0)
    bars = int(seconds * tempo / 60.0 / metre) + 1
    progression = choice(rng, PROGRESSIONS)
    tune = melody(rng, key, progression, bars, CELLS[metre], octave=choice(rng, (1, 2)))
    if rng.random() < 0.4:
        tune += [Note(n.start, n.length, n.pitch - 12, 0.8 * n.velocity) for n in tune]
    left = _left_hand(key, progression, bars, choice(rng, ACCOMPANIMENTS[metre]), metre)
    strings = piano(0.15 + 0.6 * character + rng.uniform(-0.1, 0.15))
    parts = [
        InstrumentPart(strings, tune, level=0.9, spread=0.5, send=0.25, looseness=0.012),
        InstrumentPart(strings, left, level=rng.uniform(0.5, 0.9), spread=0.5, send=0.25, looseness=0.012),
    ]
    room = Room(rng.uniform(0.8, 2.4), 0.25 + 0.5 * character)
    return Composition(key, tempo, seconds, parts, room)


def _left_hand(key: Key, progression: Sequence[int], bars: int, figure: Sequence[int | None], metre: int) -> list[Note]:
    notes = []
    for bar in range(bars):
        root, third, fifth = key.chord(progression[bar % 4])
        spread = [pitch - 12 for pitch in (root, third, fifth, root + 12, third + 12)]
        for quaver, index in enumerate(figure):
            if index is not None:
                strength = 0.6 if quaver == 0 else 0.42
                notes.append(Note(metre * bar + quaver / 2.0, 1.2, spread[index], strength))
    return notes
