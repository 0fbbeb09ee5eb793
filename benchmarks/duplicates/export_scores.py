"""Write the notes of music21's scores as tables, for `python -m benchmarks.duplicates --scores FOLDER`.

    pip install music21==10.5.1
    python -m benchmarks.duplicates.export_scores FOLDER

Run it in an environment of its own: it needs music21 and nothing of Resonance. FOLDER/COLLECTION/PIECE.tsv has a line
for each note: onset and duration in seconds, pitch as a MIDI number.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from music21 import converter, corpus

if TYPE_CHECKING:
    from collections.abc import Iterator


class ScoreCollection(NamedTuple):
    """Scores to read of a collection, every `step`th up to so many, and their tempo in crotchets a minute."""

    tempo: float
    step: int
    most: int


COLLECTIONS = {
    "bach": ScoreCollection(84.0, 2, 180),
    "palestrina": ScoreCollection(120.0, 7, 52),
    "ryansMammoth": ScoreCollection(120.0, 4, 230),
}
LONGEST = 90.0  # seconds of a piece that are written
FEWEST = 20  # notes of a piece
ONE_PIECE = 0.5  # shared notes of two scores, as a part of all, from which they are one piece


def read_notes(path: Path, tempo: float) -> list[tuple[float, float, int]]:
    """Return the notes of a score, repeats played, ties joined: onset and duration in seconds, and pitch; in order."""
    score = converter.parse(path)
    score = (score.expandRepeats() if score.hasPartLikeStreams() else score).stripTies()
    crotchet = 60.0 / tempo
    notes = {
        (float(element.getOffsetInHierarchy(score)) * crotchet, float(element.quarterLength) * crotchet, pitch.midi)
        for element in score.recurse().notes
        if element.quarterLength
        for pitch in element.pitches
    }
    return sorted(note for note in notes if note[0] < LONGEST)


def export_collection(name: str, folder: Path) -> Iterator[Path]:
    """Write the pieces of a collection, each once; yield their files."""
    tempo, step, most = COLLECTIONS[name]
    folder.mkdir(parents=True, exist_ok=True)
    paths = sorted(map(Path, corpus.getComposer(name)), key=lambda path: path.name)
    written: list[set[tuple[float, float, int]]] = []
    for path in paths[::step][:most]:
        try:
            notes = read_notes(path, tempo)
        except Exception as error:  # music21 raises whatever its parsers meet
            print(f"left out: {path.name} ({error})", flush=True)
            continue
        mine = set(notes)
        if len(mine) < FEWEST or any(len(mine & other) >= ONE_PIECE * len(mine | other) for other in written):
            continue
        written.append(mine)
        target = folder / f"{re.sub(r'[^0-9A-Za-z]+', '_', path.stem)}.tsv"
        target.write_text("".join(f"{onset:.4f}\t{seconds:.4f}\t{pitch}\n" for onset, seconds, pitch in notes))
        yield target


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.duplicates.export_scores", description="Write the notes of music21's scores."
    )
    parser.add_argument("folder", type=Path, help="where a folder for each collection goes")
    folder: Path = parser.parse_args().folder
    for name in COLLECTIONS:
        pieces = list(export_collection(name, folder / name))
        print(f"{name}: {len(pieces)} pieces")


if __name__ == "__main__":
    main()
