"""Synthetic speech by espeak-ng: own sentences in several languages and voices, and rap over drums and bass."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.annotation.audio import FRAME, LENGTH, RATE, fit_length, is_sounding, mix, run_program
from benchmarks.annotation.instruments import render_midi
from benchmarks.annotation.melodies import BAR, bass_line, drum_pattern, random_piece
from benchmarks.annotation.midi import write_midi

if TYPE_CHECKING:
    from benchmarks.annotation.audio import Samples
    from benchmarks.annotation.instruments import Soundfont

SENTENCES = {
    "en": "The ferry leaves at half past nine. Please bring a warm coat and some bread. We have counted {} boats.",
    "de": "Der Zug fährt heute nicht nach Norden. Bitte nehmen Sie den Bus am Markt. Es sind {} Stufen.",
    "fr": "Le jardin est ouvert tous les jours. Nous avons planté des pommiers. Il y en a {} maintenant.",
    "es": "La tienda abre por la mañana. Hoy tenemos pan, queso y naranjas. Quedan {} cajas.",
    "it": "Il mercato comincia presto. Vorrei due chili di pomodori. Sono arrivate {} persone.",
    "pl": "Jutro będzie padał deszcz. Zamknij okno, proszę. Mamy {} książek.",
    "ru": "Завтра мы поедем к морю. Возьми тёплый свитер. Осталось {} дней.",
    "sv": "Båten går klockan åtta. Ta med kaffe och smör. Vi har {} nycklar.",
    "pt": "A ponte fica perto da escola. O rio está cheio. Passaram {} carros.",
    "nl": "De molen draait de hele nacht. Breng morgen de sleutel mee. Er zijn {} vensters.",
}
WORDS = (
    "step up to the corner when the lights turn red", "count every copper coin and cut another thread",
    "my boots keep talking to the concrete floor", "paper in my pocket and a key for every door",
    "nobody is sleeping on the second avenue", "rhythm in the kitchen and a pepper in the stew",
    "turn another table when the needle starts to skip", "water in the engine and a ticket for the trip",
)  # fmt: skip


class Voice(NamedTuple):
    """A voice of espeak-ng, with variant, its speed in words a minute, pitch 0 to 99, and the half of its tracks."""

    name: str
    speed: int
    pitch: int
    half: str


VOICES = (
    Voice("en-us", 165, 45, "development"),
    Voice("de+f2", 150, 60, "development"),
    Voice("es", 170, 40, "development"),
    Voice("pl+m3", 155, 35, "development"),
    Voice("sv+f4", 160, 55, "development"),
    Voice("en-gb+f3", 160, 60, "report"),
    Voice("fr", 165, 45, "report"),
    Voice("it+m2", 170, 40, "report"),
    Voice("ru+f1", 155, 60, "report"),
    Voice("nl+m4", 160, 38, "report"),
)
RAPPERS = (
    Voice("en-us+m3", 210, 40, "development"),
    Voice("en-us+f2", 220, 55, "development"),
    Voice("en-gb+m7", 210, 35, "report"),
    Voice("en-gb+f5", 220, 58, "report"),
)


def speak(text: str, voice: Voice) -> Samples:
    """Speak a text, (2, samples)."""
    settings = ["-v", voice.name, "-s", str(voice.speed), "-p", str(voice.pitch)]
    return run_program(["espeak-ng", *settings, "-w", "out.wav", text])


def synthesise_speech(voice: Voice, rng: np.random.Generator) -> Samples:
    """Speak SECONDS of sentences with random numbers."""
    sentences = SENTENCES[voice.name[:2]]
    numbers = rng.integers(11, 9999, 12)
    return fit_length(speak(" ".join(sentences.format(number) for number in numbers), voice))


def synthesise_rap(voice: Voice, font: Soundfont, rng: np.random.Generator) -> Samples:
    """Speak SECONDS of words, a line a bar, over drums and bass, the voice 6 dB above, (2, LENGTH)."""
    tempo = float(rng.integers(88, 100))
    bars = int(LENGTH / RATE * tempo / 60 / BAR) + 1
    piece = random_piece(rng, bars)
    bass = [note for note in bass_line(piece, rng) if note.start % 1 == 0]
    content = write_midi([*bass, *drum_pattern(piece, rng)], {0: 33}, tempo)
    voice_track = np.zeros((2, LENGTH), np.float32)
    for bar in range(bars):
        words = WORDS[(bar + int(rng.integers(2))) % len(WORDS)].split()
        for place, word in enumerate(words):
            start = round((BAR * bar + BAR * place / len(words)) * 60 / tempo * RATE)
            clip = trim(speak(word, voice))[:, : max(0, LENGTH - start)]
            voice_track[:, start : start + clip.shape[1]] += clip
    return mix(voice_track, fit_length(render_midi(content, font)), 6.0)


def trim(samples: Samples) -> Samples:
    """Cut the pauses before and after the sound of (2, n)."""
    frames = np.flatnonzero(is_sounding(samples))
    return samples[:, frames[0] * FRAME : (frames[-1] + 1) * FRAME] if len(frames) else samples
