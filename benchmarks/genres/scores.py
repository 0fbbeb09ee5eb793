"""Scores of music21's corpus by style, as MIDI files: once with their customary instruments, once all for the piano.

Notes alone are taken from a score. The tempo is drawn from a range of its style, the same for both files of a piece;
loudness is even. What is short is repeated, and the rest of what is long is left out.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import numpy as np

from benchmarks.annotation.midi import DRUM_CHANNEL, MidiNote, write_midi
from resonance_engine.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

CUSTOMARY, PIANO = "customary", "piano"
SETS = (CUSTOMARY, PIANO)
SECONDS = 60.0
FEWEST_NOTES = 40
CHANNELS = [channel for channel in range(16) if channel != DRUM_CHANNEL]
CHOIR, CHURCH_ORGAN, ACOUSTIC_PIANO = 52, 19, 0
VIOLIN, VIOLA, CELLO, FIDDLE = 40, 41, 42, 110


class ScoreStyle(NamedTuple):
    """A genre: its composers by the patterns of their files, programs of the parts, and quarter notes a minute.

    The last program is that of all further parts.
    """

    genre: str
    composers: dict[str, str]
    programs: tuple[int, ...]
    tempo: tuple[float, float]


STYLES = (
    ScoreStyle("medieval polyphony", {"trecento/*.xml": ""}, (CHOIR,), (100, 150)),
    ScoreStyle("renaissance polyphony", {"palestrina/*.krn": "Palestrina"}, (CHOIR,), (120, 160)),
    ScoreStyle("madrigal", {"monteverdi/*.mxl": "Monteverdi"}, (CHOIR,), (100, 150)),
    ScoreStyle("chorale", {"bach/bwv*.mxl": "Bach"}, (CHURCH_ORGAN,), (66, 84)),
    ScoreStyle(
        "string quartet",
        {
            "haydn/*/*.mxl": "Haydn",
            "mozart/k1*/*.mxl": "Mozart",
            "mozart/k80/*.mxl": "Mozart",
            "mozart/k458/*.mxl": "Mozart",
            "beethoven/opus18no1/*.mxl": "Beethoven",
            "beethoven/opus59no*/*.mxl": "Beethoven",
            "schumann_robert/opus41no1/*.mxl": "Schumann",
        },
        (VIOLIN, VIOLIN, VIOLA, CELLO),
        (70, 140),
    ),
    ScoreStyle("fiddle tune", {"ryansMammoth/*.abc": ""}, (FIDDLE,), (150, 200)),
)


class Score(NamedTuple):
    """A piece: its genre, composer (empty where unknown), the work that it is a movement of, its name and parts.

    A part is a list of (start, length) in quarter notes and pitches.
    """

    genre: str
    composer: str
    work: str
    name: str
    parts: Sequence[Sequence[tuple[float, float, int]]]


def write_scores(folder: Path, pieces: int) -> None:
    """Write up to so many pieces a style below `folder`, SET/GENRE/COMPOSER/WORK/NAME.mid, as far as they are missing.

    A file `done` in GENRE says that all are there. Raises ModuleNotFoundError without music21.
    """
    for style in STYLES:
        if (folder / f"{style.genre}.done").exists():
            continue
        for score in read_scores(style, pieces):
            for kind in SETS:
                place = Path(kind, score.genre, score.composer or "unknown", score.work or "none", f"{score.name}.mid")
                (folder / place).parent.mkdir(parents=True, exist_ok=True)
                write_bytes(folder / place, to_midi(score, style, kind))
        write_bytes(folder / f"{style.genre}.done", b"")


def read_scores(style: ScoreStyle, pieces: int) -> Iterator[Score]:
    """Yield up to so many scores of a style: the same share of each pattern's, evenly spread over its files."""
    root = Path(import_module("music21.corpus").__file__ or "").parent
    matches = [(composer, sorted(root.glob(pattern))) for pattern, composer in style.composers.items()]
    taken = 0
    for place, (composer, paths) in enumerate(sorted(matches, key=lambda match: len(match[1]))):
        quota = min(len(paths), -(-(pieces - taken) // (len(matches) - place)))
        spread = [paths[number * len(paths) // quota] for number in range(quota)]
        for path in chain(spread, (each for each in paths if each not in spread)):
            if quota and (score := read_score(path, style.genre, composer, root)) is not None:
                quota, taken = quota - 1, taken + 1
                yield score
            if not quota:
                break


def read_score(path: Path, genre: str, composer: str, root: Path) -> Score | None:
    """Read the notes of a score; None where music21 cannot read it, or it has hardly any."""
    converter: Any = import_module("music21.converter")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            score = converter.parse(path)
            parts = [part_notes(part) for part in getattr(score, "parts", ())]
    except Exception as error:  # its parsers raise whatever they stumble over
        print(f"left out: {path.name} ({type(error).__name__}: {error})", flush=True)
        return None
    if sum(map(len, parts)) < FEWEST_NOTES:
        return None
    named = getattr(score.metadata, "composer", None) or ""
    work = path.parent.relative_to(root).as_posix().replace("/", " ")
    return Score(
        genre,
        composer or safe(str(named)),
        work if "/" in path.relative_to(root).parent.as_posix() else "",
        safe(path.stem),
        [part for part in parts if part],
    )


def part_notes(part: Any) -> list[tuple[float, float, int]]:
    """Return the notes of a part with ties joined: start and length in quarter notes, and pitch."""
    notes = part.stripTies().flatten().notes
    return [
        (as_float(note.offset), as_float(note.quarterLength), int(pitch.midi))
        for note in notes
        if note.quarterLength
        for pitch in note.pitches
    ]


def as_float(number: float | Fraction) -> float:
    return float(number)


def safe(name: str) -> str:
    """Return a name without what has a meaning in paths."""
    return " ".join("".join(each if each.isalnum() or each in " -_." else " " for each in name).split())


def to_midi(score: Score, style: ScoreStyle, kind: str) -> bytes:
    """Return a MIDI file of a score, SECONDS long: repeated where it is shorter."""
    tempo = float(np.random.default_rng(crc32(score.name.encode())).uniform(*style.tempo))
    beats = SECONDS * tempo / 60
    length = np.ceil(max(start + lasting for part in score.parts for start, lasting, _ in part) / 4 + 0.25) * 4
    notes, programs = [], {}
    for number, part in enumerate(score.parts):
        channel = CHANNELS[number % len(CHANNELS)]
        programs[channel] = ACOUSTIC_PIANO if kind == PIANO else style.programs[min(number, len(style.programs) - 1)]
        for again in range(int(beats // length) + 1):
            for start, lasting, pitch in part:
                if (begin := start + again * length) < beats:
                    notes.append(MidiNote(begin, min(lasting, beats - begin), pitch, channel=channel))
    return write_midi(notes, programs, tempo)
