"""Synthetic singing by Festival's singing mode: own melodies and syllables, single voices and choirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.annotation.audio import LENGTH, RATE, fit_length, level, resample, run_program
from benchmarks.annotation.melodies import BAR, melody, random_piece

if TYPE_CHECKING:
    from benchmarks.annotation.audio import Samples
    from benchmarks.annotation.melodies import Piece

ENGLISH = (
    "low winds blow and all the snow will go to stone and foam now row me home a long low road to roam "
    "sea and sand and salt and sail we lean and dream and let the tale run on and on"
)
FINNISH = "laa lii suu maa nee voo tuu mee saa jaa roo lee"
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


class Singer(NamedTuple):
    """A voice of Festival, words that its lexicon has, octave, and how much its formants are raised."""

    name: str
    voice: str
    words: str
    octave: int
    formants: float
    sex: str
    half: str


# Festival has no female English voice that sings: raising pitch and formants of a man's by a fifth of an octave and
# more is near enough to one for a test, and is called synthetic.
SINGERS = (
    Singer("kal", "kal_diphone", ENGLISH, -1, 1.0, "male", "development"),
    Singer("kal raised", "kal_diphone", ENGLISH, 0, 1.2, "female", "development"),
    Singer("lj", "suo_fi_lj_diphone", FINNISH, 0, 1.0, "female", "development"),
    Singer("ked", "ked_diphone", ENGLISH, -1, 1.0, "male", "report"),
    Singer("ked raised", "ked_diphone", ENGLISH, 0, 1.22, "female", "report"),
    Singer("mv", "hy_fi_mv_diphone", FINNISH, -1, 1.0, "male", "report"),
)
HEADER = (
    '<?xml version="1.0"?>\n<!DOCTYPE SINGING PUBLIC "-//SINGING//DTD SINGING mark up//EN" "Singing.v0_1.dtd" []>\n'
)


def song(piece: Piece, singer: Singer, tempo: float, rng: np.random.Generator, shift: int = 0) -> str:
    """Return the score of a melody in Festival's XML; `shift` moves it by degrees of the scale, as a second voice.

    Pitches and tempo are those before the formants are raised, which raises them, too.
    """
    lines, words = [], singer.words.split()
    for place, note in enumerate(melody(piece, rng)):
        raised = note.pitch + 12 * singer.octave - round(12 * np.log2(singer.formants)) + shift
        name = f"{NAMES[raised % 12]}{raised // 12 - 1}"
        word = words[place % len(words)]
        beats = note.length / 0.95
        lines.append(f'<PITCH NOTE="{name}"><DURATION BEATS="{beats:g}">{word}</DURATION></PITCH>')
    return f'{HEADER}<SINGING BPM="{tempo / singer.formants:.1f}">\n' + "\n".join(lines) + "\n</SINGING>\n"


def sing(score: str, singer: Singer) -> Samples:
    """Sing a score, (2, samples)."""
    command = ["text2wave", "-mode", "singing", "-eval", f"(voice_{singer.voice})", "in.xml", "-o", "out.wav"]
    samples = run_program(command, files={"in.xml": score.encode()})
    return resample(samples, singer.formants)


def synthesise_song(singer: Singer, rng: np.random.Generator) -> Samples:
    """Compose and sing SECONDS, (2, LENGTH)."""
    tempo = float(rng.integers(80, 104))
    piece = random_piece(rng, bars=int(LENGTH / RATE * tempo / 60 / BAR) + 1)
    return fit_length(sing(song(piece, singer, tempo, rng), singer))


def synthesise_choir(singers: list[Singer], seed: int) -> Samples:
    """Sing one melody in parallel fifths and octaves, each voice a little late and out of tune, (2, LENGTH)."""
    tempo = 72.0
    bars = int(LENGTH / RATE * tempo / 60 / BAR) + 1
    total = np.zeros((2, LENGTH), np.float32)
    rng = np.random.default_rng(seed)
    for singer in singers:
        for shift in (0, 7, -5):
            same = np.random.default_rng(seed)  # the same melody for all
            score = song(random_piece(same, bars), singer, tempo, same, shift)
            voice = resample(sing(score, singer), float(1 + rng.normal(0, 0.004)))
            delay = int(rng.integers(0, RATE // 30))
            voice = fit_length(np.pad(voice, ((0, 0), (delay, 0))))
            side = rng.uniform(0.3, 1.0, 2).astype(np.float32)[:, np.newaxis]
            total += side * voice / max(level(voice), 1e-6)
    return (0.1 / max(level(total), 1e-6)) * total
