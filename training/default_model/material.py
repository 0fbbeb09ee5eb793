"""Fetch further music that models learn from, and are never measured on: games, tracker modules, rendered scores.

    python -m training.default_model.material DIRECTORY

More Debian packages are downloaded and unpacked to DIRECTORY/training/PACKAGE/. Tracker modules are rendered by FFmpeg,
MIDI scores by fluidsynth with two of four soundfonts each, to DIRECTORY/rendered/. DIRECTORY/training.tsv lists every
track of 40 s and more. `training_material.tsv`, beside this file, has the packages with composers and licences, taken
from their copyright files, and says what is left out and why. Nothing that is already there is done again.
"""

from __future__ import annotations

import argparse
import csv
import io
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.errors import ResonanceError
from resonance_engine.files import write_bytes
from training.default_model.corpus import CorpusTrack, content_keys, distinct_files, read_manifest
from training.default_model.rendering import PROGRAMS, SOUNDFONTS, Rendering, draw_soundfonts, missing_programs, render
from training.default_model.unpacking import (
    MODULE_SUFFIXES,
    SCORE_SUFFIXES,
    download,
    is_music_or_score,
    is_soundfont,
    unpack,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

CREDITS = Path(__file__).parent / "training_material.tsv"
TABLE = "training.tsv"
UNPACKED, RENDERED = "training", "rendered"
PROCESSES = 2
RECORDING, MODULE, SCORE = "recording", "module", "score"


@dataclass(frozen=True)
class Credit:
    """What is known about the files of a package that a pattern matches; the first one that matches a file counts.

    `shares` names a soundtrack that models are measured on and that has a composer or the game in common; `left_out`
    is a reason not to use the files.
    """

    package: str
    files: str
    soundtrack: str
    composer: str
    licence: str
    shares: str
    left_out: str


@dataclass(frozen=True)
class TrainingTrack(CorpusTrack):
    """A track to learn from: a recording, module or score; the artist is the composer, where known.

    `piece` is one for all recordings and renderings of a piece, `soundfont` the name of a score's. `shares` is as a
    credit's.
    """

    kind: str
    piece: str
    soundfont: str
    licence: str
    shares: str


def read_credits() -> list[Credit]:
    with CREDITS.open(newline="", encoding="utf-8") as file:
        return [Credit(**row) for row in csv.DictReader(file, delimiter="\t")]


def used_packages(table: Iterable[Credit]) -> list[str]:
    """Return the packages of which any file is used, in order."""
    return list(dict.fromkeys(credit.package for credit in table if not credit.left_out))


def find_credit(table: Iterable[Credit], package: str, name: str) -> Credit | None:
    """Return the credit of a package's file, unless the file is left out or unknown."""
    matching = (credit for credit in table if credit.package == package and fnmatchcase(name, credit.files))
    credit = next(matching, None)
    return None if credit is None or credit.left_out else credit


def independent_of(tracks: Sequence[TrainingTrack], soundtracks: Collection[str]) -> list[TrainingTrack]:
    """Return the tracks that share neither composer nor game with these soundtracks, which a model is tested on."""
    return [track for track in tracks if track.shares not in soundtracks]


def fetch_material(directory: Path) -> list[TrainingTrack]:
    """Download, unpack and render everything; write the table, and return its tracks."""
    table, packages = read_credits(), directory / "debs"
    for package in used_packages(table):
        unpack(download(package, packages), directory / UNPACKED / package, is_music_or_score)
    missing = missing_programs()
    for program in missing:
        suffixes = ", ".join(sorted(PROGRAMS[program]))
        print(f"{program} is not installed, so tracks of {suffixes} are left out: install Debian's package {program}.")
    if "fluidsynth" not in missing:
        fetch_soundfonts(directory, SOUNDFONTS)
    silent = {suffix for program in missing for suffix in PROGRAMS[program]}
    sources = [path for path in source_files(directory, table) if path.suffix.lower() not in silent]
    renderings = [each for path in sources for each in renderings_of(path, directory)]
    # FFmpeg's threads do not survive a fork.
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        targets = list(pool.map(render, renderings))
    rendered = {target: each for target, each in zip(targets, renderings, strict=True) if target is not None}
    tracks = list_tracks(directory, sources, rendered, table)
    write_training(tracks, directory / TABLE)
    return tracks


def fetch_soundfonts(directory: Path, names: Iterable[str]) -> None:
    """Download and unpack soundfonts."""
    for package in (SOUNDFONTS[name][0] for name in names):
        unpack(download(package, directory / "debs"), directory / "soundfonts" / package, is_soundfont)


def source_files(directory: Path, table: Sequence[Credit]) -> list[Path]:
    """Return the unpacked files that are used, in a stable order."""
    root = directory / UNPACKED
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return [path for path in files if find_credit(table, path.relative_to(root).parts[0], path.name)]


def renderings_of(path: Path, directory: Path) -> list[Rendering]:
    """Return what is rendered of a file: a module once, a score with two soundfonts, a recording not at all."""
    name = path.relative_to(directory / UNPACKED)
    folder = directory / RENDERED / name.parent
    if kind_of(path) == MODULE:
        return [Rendering(path, None, folder / f"{path.name}.flac")]
    if kind_of(path) == RECORDING:
        return []
    return [
        Rendering(path, soundfont_file(directory, font), folder / f"{path.name}.{font}.flac")
        for font in draw_soundfonts(name.as_posix())
    ]


def soundfont_file(directory: Path, font: str) -> Path:
    package, name = SOUNDFONTS[font]
    return next((directory / "soundfonts" / package).rglob(name))


def kind_of(path: Path) -> str:
    suffix = path.suffix.lower()
    return MODULE if suffix in MODULE_SUFFIXES else SCORE if suffix in SCORE_SUFFIXES else RECORDING


def list_tracks(
    directory: Path, sources: Sequence[Path], rendered: dict[Path, Rendering], table: Sequence[Credit]
) -> list[TrainingTrack]:
    """List every distinct recording and rendering of 40 s and more that is none of the soundtracks measured on."""
    measured = [directory / track.path for track in read_manifest(directory / "manifest.tsv")]
    recordings = [path for path in sources if kind_of(path) == RECORDING]
    tracks = []
    for path, artist in distinct_files([*recordings, *sorted(rendered)], content_keys(measured)):
        rendering = rendered.get(path)
        source = path if rendering is None else rendering.source
        credit = find_credit(table, source.relative_to(directory / UNPACKED).parts[0], source.name)
        assert credit is not None, "only files with a credit are sources"
        tracks.append(
            TrainingTrack(
                soundtrack=credit.soundtrack,
                artist=credit.composer or artist,
                path=path.relative_to(directory).as_posix(),
                kind=kind_of(source),
                piece=f"{credit.soundtrack}/{source.parent.name}/{source.stem}",
                soundfont="" if rendering is None or rendering.soundfont is None else path.suffixes[-2][1:],
                licence=credit.licence,
                shares=credit.shares,
            )
        )
    return tracks


def write_training(tracks: Iterable[TrainingTrack], path: Path) -> None:
    text = io.StringIO(newline="")
    names = [field.name for field in fields(TrainingTrack)]
    writer = csv.DictWriter(text, names, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(track) for track in tracks)
    write_bytes(path, text.getvalue().encode())


def read_training(directory: Path) -> list[TrainingTrack]:
    """Read the tracks to learn from in a corpus folder; raises ResonanceError where their table is missing."""
    path = directory / TABLE
    if not path.is_file():
        raise ResonanceError(f"{path} does not exist; run: python -m training.default_model.material {directory}")
    with path.open(newline="", encoding="utf-8") as file:
        return [TrainingTrack(**row) for row in csv.DictReader(file, delimiter="\t")]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.default_model.material", description="Fetch further music that models learn from."
    )
    parser.add_argument("directory", type=Path, help="folder that training.default_model.corpus filled")
    try:
        tracks = fetch_material(parser.parse_args().directory)
    except (ResonanceError, OSError) as error:
        sys.exit(str(error))
    print(f"{len(tracks)} further tracks of {len({track.soundtrack for track in tracks})} soundtracks to learn from")


if __name__ == "__main__":
    main()
