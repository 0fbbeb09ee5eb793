"""Solo pieces for General MIDI's programs, and MIDI files of others, rendered with soundfonts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.annotation.audio import RATE, SECONDS, fit_length, run_program
from benchmarks.annotation.melodies import BAR, STYLES, random_piece
from benchmarks.annotation.midi import DRUMS, program_shares, write_midi
from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    import numpy as np

    from benchmarks.annotation.audio import Samples

SOUNDFONTS = Path("/usr/share/sounds")


class Soundfont(NamedTuple):
    """A soundfont's file, the half that its tracks belong to, and how many solos of an instrument it plays."""

    name: str
    file: str
    half: str
    solos: int = 1


# MuseScore_General was made from FluidR3, so both belong to one half.
FLUID = Soundfont("FluidR3_GM", "sf2/FluidR3_GM.sf2", "development", 2)
MUSESCORE = Soundfont("MuseScore_General_Lite", "sf3/MuseScore_General_Lite.sf3", "development")
TIM = Soundfont("TimGM6mb", "sf2/TimGM6mb.sf2", "report")
FONTS = (FLUID, MUSESCORE, TIM)


class Instrument(NamedTuple):
    """A label of `labels.tsv`, the program of General MIDI, how it is played, and octaves up or down."""

    label: str
    program: int
    style: str
    octaves: int = 0


INSTRUMENTS = (
    Instrument("piano", 0, "accompanied"),
    Instrument("electric piano", 4, "accompanied"),
    Instrument("harpsichord", 6, "accompanied"),
    Instrument("glockenspiel", 9, "melody", 2),
    Instrument("music box", 10, "accompanied", 1),
    Instrument("vibraphone", 11, "accompanied"),
    Instrument("marimba", 12, "accompanied"),
    Instrument("organ", 16, "sustained"),
    Instrument("accordion", 21, "accompanied"),
    Instrument("harmonica", 22, "melody", 1),
    Instrument("acoustic guitar", 25, "strummed"),
    Instrument("electric guitar", 27, "strummed"),
    Instrument("distorted guitar", 30, "strummed", -1),
    Instrument("bass guitar", 33, "bass"),
    Instrument("violin", 40, "melody", 1),
    Instrument("cello", 42, "melody", -1),
    Instrument("pizzicato", 45, "melody"),
    Instrument("harp", 46, "accompanied"),
    Instrument("strings", 48, "sustained"),
    Instrument("choir voices", 52, "sustained"),
    Instrument("trumpet", 56, "melody", 1),
    Instrument("trombone", 57, "melody", -1),
    Instrument("french horn", 60, "melody"),
    Instrument("saxophone", 65, "melody"),
    Instrument("clarinet", 71, "melody"),
    Instrument("flute", 73, "melody", 1),
    Instrument("synthesizer", 81, "melody"),
    Instrument("synth pad", 89, "sustained"),
    Instrument("sitar", 104, "melody"),
    Instrument("banjo", 105, "strummed"),
    Instrument("bagpipes", 109, "melody", 1),
    Instrument("drums", DRUMS, "drums"),
)

# General MIDI's 128 programs as labels; None has none. Names of instruments that sound alike share a label.
_FAMILIES: tuple[tuple[int, str | None], ...] = (
    (0, "piano"), (4, "electric piano"), (6, "harpsichord"), (8, "glockenspiel"), (10, "music box"),
    (11, "vibraphone"), (12, "marimba"), (14, "tubular bells"), (15, None), (16, "organ"), (19, "church organ"),
    (20, "organ"), (21, "accordion"), (22, "harmonica"), (23, "accordion"), (24, "acoustic guitar"),
    (26, "electric guitar"), (29, "distorted guitar"), (31, "electric guitar"), (32, "double bass"),
    (33, "bass guitar"), (38, "synthesizer"), (40, "violin"), (41, "viola"), (42, "cello"), (43, "double bass"),
    (44, "strings"), (45, "pizzicato"), (46, "harp"), (47, "timpani"), (48, "strings"), (52, "choir voices"),
    (55, "orchestra"), (56, "trumpet"), (57, "trombone"), (58, "tuba"), (59, "trumpet"), (60, "french horn"),
    (61, "brass"), (64, "saxophone"), (68, "oboe"), (70, "bassoon"), (71, "clarinet"), (72, "flute"),
    (80, "synthesizer"), (88, "synth pad"), (96, "synthesizer"), (104, "sitar"), (105, "banjo"), (106, None),
    (109, "bagpipes"), (110, "violin"), (111, None), (114, "steel drums"), (115, None), (128, "drums"),
)  # fmt: skip


def label_of_program(program: int) -> str | None:
    """Return the label of a program of General MIDI, or of DRUMS."""
    return next(label for first, label in reversed(_FAMILIES) if first <= program)


def render_solo(instrument: Instrument, font: Soundfont, rng: np.random.Generator) -> Samples:
    """Compose and render SECONDS of a piece for one instrument, (2, samples)."""
    tempo = float(rng.integers(84, 132))
    piece = random_piece(rng, bars=int(SECONDS * tempo / 60 / BAR) + 1)
    notes = STYLES[instrument.style](piece, rng)
    if instrument.style != "drums":
        notes = [note._replace(pitch=note.pitch + 12 * instrument.octaves) for note in notes]
    programs = {} if instrument.program == DRUMS else {0: instrument.program}
    return fit_length(render_midi(write_midi(notes, programs, tempo), font))


def render_midi(content: bytes, font: Soundfont) -> Samples:
    """Render a MIDI file with a soundfont and some reverberation, (2, samples)."""
    file = SOUNDFONTS / font.file
    if not file.is_file():
        raise ResonanceError(f"The soundfont {file} does not exist; install the package that has it.")
    settings = ["-ni", "-q", "-r", str(RATE), "-g", "0.6", "-R", "1", "-C", "0", "-O", "s16"]
    return run_program(["fluidsynth", *settings, "-F", "out.wav", str(file), "in.mid"], files={"in.mid": content})


AUDIBLE, FAINT = 0.15, 0.02  # shares of the sounding time


def midi_labels(content: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the labels of the programs that sound in at least 15 % of the notes' time, and those of 2 % to 15 %.

    The latter are too much to be absent, and too little to be labelled.
    """
    shares: dict[str, float] = {}
    for program, share in program_shares(content).items():
        label = label_of_program(program)
        if label:
            shares[label] = shares.get(label, 0.0) + share
    audible = tuple(sorted(label for label, share in shares.items() if share >= AUDIBLE))
    return audible, tuple(sorted(label for label, share in shares.items() if FAINT <= share < AUDIBLE))
