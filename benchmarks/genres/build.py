"""Render the pieces and write them, tagged, as a beets library: a genre, and who made it.

The artist of a rendered score is its composer and the soundfont, so that leaving out the artist leaves neighbours by
another soundfont or another composer. The soundfont of a piece is drawn by its place; no piece is rendered twice in a
set.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from beets.library import Item, Library
from mediafile import MediaFile

from benchmarks.annotation.instruments import label_of_program
from benchmarks.annotation.midi import program_shares
from benchmarks.genres.scores import CUSTOMARY, SETS, STYLES
from training.default_model.corpus import read_manifest
from training.default_model.material import find_credit, read_credits, soundfont_file
from training.default_model.rendering import SOUNDFONTS, Rendering, render
from training.default_model.unpacking import (
    MODULE_SUFFIXES,
    download,
    is_module_or_score,
    is_soundfont,
    unpack,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FONTS = ("fluid", "timgm6mb", "opl3")  # MuseScore's was made from Fluid's
MODULES = ("tecnoballz-data", "heroes-sound-tracks", "bomberclone-data", "tomatoes-data", "fb-music-high")
METAL, TRACKER = "metal", "tracker music"
LEAST_DISTORTED = 0.4  # the share of distorted guitars in the time of all notes but drums, by which a score is metal
RECORDED = {"fretsonfire-songs-muldjord": METAL}  # soundtracks of the corpus whose own tags name such a genre


class LabelledPiece(NamedTuple):
    """A file to render, or one that is there (`soundfont` and `source` None), with its genre and who made it."""

    kind: str
    genre: str
    composer: str
    album: str
    name: str
    source: Path | None
    soundfont: str | None

    @property
    def artist(self) -> str:
        return f"{self.composer} ({self.soundfont})" if self.soundfont else self.composer

    def target(self, folder: Path) -> Path:
        return folder / "tracks" / self.kind / self.genre / f"{self.name}.{self.soundfont or 'module'}.flac"


def build(corpus: Path, folder: Path, pieces: int) -> int:
    """Render up to so many pieces a genre, and write FOLDER/library.db with them; return how many tracks it has.

    The scores must have been written to FOLDER/scores.
    """
    packages = corpus / "debs"
    for name in ("freedoom", *MODULES):
        unpack(download(name, packages), folder / "training" / name, is_module_or_score)
    for name in FONTS:
        package = SOUNDFONTS[name][0]
        unpack(download(package, packages), folder / "soundfonts" / package, is_soundfont)
    for piece in [*score_pieces(folder, pieces), *metal_pieces(folder, pieces), *module_pieces(folder, pieces)]:
        write_piece(piece, folder)
    return write_library(corpus, folder)


def score_pieces(folder: Path, pieces: int) -> Iterator[LabelledPiece]:
    """Yield up to so many scores of a style in each set, by all soundfonts in turn."""
    for kind in SETS:
        for style in STYLES:
            paths = sorted((folder / "scores" / kind / style.genre).rglob("*.mid"))
            spread = [paths[place * len(paths) // min(pieces, len(paths))] for place in range(min(pieces, len(paths)))]
            for place, path in enumerate(spread):
                composer, work = path.parts[-3:-1]
                album, name = (f"{composer} {work}", f"{work} {path.stem}") if work != "none" else ("", path.stem)
                yield LabelledPiece(kind, style.genre, composer, album, name, path, FONTS[place % len(FONTS)])


def metal_pieces(folder: Path, pieces: int) -> list[LabelledPiece]:
    """Return the scores of Freedoom with drums that distorted guitars lead."""
    paths = [path for path in sorted((folder / "training" / "freedoom").rglob("*.mid")) if is_metal(path.read_bytes())]
    return [
        LabelledPiece(CUSTOMARY, METAL, "freedoom", "", path.stem, path, FONTS[place % len(FONTS)])
        for place, path in enumerate(paths[:pieces])
    ]


def is_metal(content: bytes) -> bool:
    shares: defaultdict[str | None, float] = defaultdict(float)
    for program, share in program_shares(content).items():
        shares[label_of_program(program)] += share
    drums = shares.pop("drums", 0.0)
    return drums > 0 and shares["distorted guitar"] >= LEAST_DISTORTED * sum(shares.values())


def module_pieces(folder: Path, pieces: int) -> list[LabelledPiece]:
    """Return tracker modules with known composers, of all packages in turn."""
    table, chosen = read_credits(), []
    for package in MODULES:
        for path in sorted((folder / "training" / package).rglob("*")):
            credit = find_credit(table, package, path.name)
            if path.suffix.lower() in MODULE_SUFFIXES and credit is not None:
                chosen.append(
                    LabelledPiece(CUSTOMARY, TRACKER, credit.composer or package, package, path.stem, path, None)
                )
    return chosen[:: -(-len(chosen) // pieces)]


def write_piece(piece: LabelledPiece, folder: Path) -> None:
    """Render a piece unless its file is there, and tag it."""
    target = piece.target(folder)
    if target.exists() or piece.source is None:
        return
    font = soundfont_file(folder, piece.soundfont) if piece.soundfont else None
    if render(Rendering(piece.source, font, target)) is not None:
        tags = MediaFile(target)
        tags.update({"title": piece.name, "artist": piece.artist, "album": piece.album, "genres": [piece.genre]})
        tags.grouping = piece.soundfont
        tags.save()


def write_library(corpus: Path, folder: Path) -> int:
    """Write FOLDER/library.db anew with all tracks, and a configuration beside it; return how many there are."""
    (folder / "library.db").unlink(missing_ok=True)
    settings = {"plugins": ["resonance"], "directory": str(folder / "tracks"), "library": str(folder / "library.db")}
    lines = (f"{name}: {json.dumps(value)}\n" for name, value in settings.items())
    (folder / "config.yaml").write_text("".join(lines), encoding="utf-8")
    library = Library(str(folder / "library.db"), str(folder / "tracks"))
    groups: defaultdict[tuple[str, str], list[Item]] = defaultdict(list)
    for path in sorted(path for path in (folder / "tracks").rglob("*") if path.suffix in (".flac", ".mp3")):
        item = Item.from_path(os.fsencode(path))
        item["set"] = path.relative_to(folder / "tracks").parts[0]
        groups[item["set"], item.album or ""].append(item)
    for track in read_manifest(corpus / "manifest.tsv"):
        if genre := RECORDED.get(track.soundtrack):
            item = Item.from_path(os.fsencode(corpus / track.path))
            item.update({"genres": [genre], "set": CUSTOMARY, "album": track.soundtrack, "artist": track.artist})
            groups[CUSTOMARY, track.soundtrack].append(item)
    for (_, album), items in groups.items():
        if album:
            library.add_album(items)
        else:
            for item in items:
                library.add(item)
    return len(library.items())
