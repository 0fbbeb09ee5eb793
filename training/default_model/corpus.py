"""Fetch the freely licensed soundtracks that the shipped model is fitted to.

    python -m training.default_model.corpus DIRECTORY

Debian packages are downloaded (no installation, no root), their music is unpacked to DIRECTORY/music/PACKAGE/, and
DIRECTORY/manifest.tsv lists every distinct recording of 40 s and more: soundtrack, artist, path. DIRECTORY/tracks/ has
a link to each of them, a folder for each soundtrack, as a library to try things on. Nothing that is already there is
done again. About 3.7 GB of packages.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.audio.decoding import open_audio
from resonance_engine.audio.windows import content_key, read_tags
from resonance_engine.errors import AudioError, ResonanceError
from training.default_model.unpacking import download, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGES = (
    "0ad-data", "alienblaster-data", "amoebax-data", "asc-music", "blobwars-data", "btanks-data", "drascula-music",
    "endless-sky-data", "extremetuxracer-data", "fillets-ng-data", "freedroidrpg-data", "freeorion-data",
    "fretsonfire-songs-muldjord", "fretsonfire-songs-sectoid", "glob2-data", "hedgewars-data", "lincity-ng-data",
    "megaglest-data", "pathological", "planetblupi-music-ogg", "redeclipse-data", "scorched3d-data",
    "singularity-music", "starfighter-data", "supertux-data", "warzone2100-music", "xmoto-data", "zaz-data",
)  # fmt: skip
MINIMUM_SECONDS = 40.0  # shorter files in these packages are sound effects


@dataclass(frozen=True)
class CorpusTrack:
    """One recording of the corpus; `path` is relative to the corpus folder."""

    soundtrack: str
    artist: str
    path: str

    @property
    def artist_label(self) -> str:
        """The artist, case-folded; the shipped model was fitted to groups by this label, not by `normalise_artist`."""
        return " ".join(self.artist.casefold().split())


def distinct_tracks(corpus: Path) -> list[CorpusTrack]:
    """List every recording of 40 s and more once, in a stable order; print and skip unreadable files."""
    files = sorted(path for path in (corpus / "music").rglob("*") if path.is_file())
    places = ((path.relative_to(corpus), artist) for path, artist in distinct_files(files, set()))
    return [CorpusTrack(place.parts[1], artist, place.as_posix()) for place, artist in places]


def distinct_files(paths: Iterable[Path], seen: set[bytes]) -> Iterator[tuple[Path, str]]:
    """Yield every recording of 40 s and more, with the artist of its tags; print and skip unreadable files.

    A recording whose content key is in `seen`, or was yielded before, is skipped.
    """
    for path in paths:
        try:
            with open_audio(path) as source:
                seconds = source.duration or 0.0
            if seconds < MINIMUM_SECONDS or (key := content_key(path)) in seen:
                continue
            artist = read_tags(path).artist
        except AudioError as error:
            print(f"left out: {error}")
            continue
        seen.add(key)
        yield path, artist


def content_keys(paths: Iterable[Path]) -> set[bytes]:
    return {content_key(path) for path in paths}


def write_manifest(tracks: list[CorpusTrack], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["soundtrack", "artist", "path"])
        writer.writerows((track.soundtrack, track.artist, track.path) for track in tracks)


def link_tracks(tracks: list[CorpusTrack], corpus: Path) -> None:
    """Fill the folder `tracks` with a numbered link to every track; names without a suffix get one."""
    shutil.rmtree(corpus / "tracks", ignore_errors=True)
    for number, track in enumerate(tracks, start=1):
        path = corpus / track.path
        folder = corpus / "tracks" / track.soundtrack
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / f"{number:03} {path.name}{'' if path.suffix else '.ogg'}"
        place.symlink_to(os.path.relpath(path, folder))


def read_manifest(path: Path) -> list[CorpusTrack]:
    """Read the tracks of a corpus manifest; raises ResonanceError where it is missing."""
    if not path.is_file():
        raise ResonanceError(f"{path} does not exist; run: python -m training.default_model.corpus {path.parent}")
    with path.open(newline="", encoding="utf-8") as file:
        return [CorpusTrack(**row) for row in csv.DictReader(file, delimiter="\t")]


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch the soundtracks that the shipped model learns from.")
    parser.add_argument("directory", type=Path, help="where packages and music go (about 9 GB)")
    directory: Path = parser.parse_args().directory
    for package in PACKAGES:
        unpack(download(package, directory / "debs"), directory / "music" / package)
    tracks = distinct_tracks(directory)
    write_manifest(tracks, directory / "manifest.tsv")
    link_tracks(tracks, directory)
    print(f"{len(tracks)} tracks of {len({track.soundtrack for track in tracks})} soundtracks")


if __name__ == "__main__":
    main()
