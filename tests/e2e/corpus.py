"""Forty tracks of the corpus in a beets of their own, and what it answers about them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from beets.library import Library

from tests.e2e.home import new_home

if TYPE_CHECKING:
    from tests.e2e.home import Home

FOLDER = os.environ.get("RESONANCE_CORPUS", "")
TRACKS, EVERY = 40, 9
needs_corpus = pytest.mark.skipif(not FOLDER, reason="RESONANCE_CORPUS names no corpus; see `make corpus`")
SUITE = (12, 13, 14)


@dataclass(frozen=True)
class Corpus:
    """`stranger` is a file of the corpus that is not in the library."""

    home: Home
    stranger: Path
    known: dict[str, dict[int, str]] = field(default_factory=dict)

    def similar_with_notes(self, *arguments: str) -> tuple[list[dict[str, Any]], str]:
        status, out, err = self.home.run("similar", "--json", *arguments)
        assert status == 0, err
        return json.loads(out), err

    def similar(self, *arguments: str) -> list[dict[str, Any]]:
        return self.similar_with_notes(*arguments)[0]

    def scores(self, *arguments: str) -> dict[int, float]:
        return {row["id"]: row["score"] for row in self.similar(*arguments)}

    def playlist(self, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads("\n".join(self.home.beet("playlist", "--json", *arguments)))
        return found

    def ids(self, *arguments: str) -> list[int]:
        return [row["id"] for row in self.playlist(*arguments)]

    def field(self, name: str) -> dict[int, str]:
        """What a field has for each track, by item id."""
        if name not in self.known:
            lines = self.home.beet("ls", "-f", f"$id ${name}")
            self.known[name] = {int(line.split(" ", 1)[0]): line.split(" ", 1)[1] for line in lines}
        return self.known[name]


@cache
def corpus_library(folder: Path) -> Corpus:
    """Import every ninth track as it lies there, an album a soundtrack, and tag what tests ask for; once a folder."""
    lines = (Path(FOLDER) / "manifest.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [(soundtrack, Path(FOLDER) / path) for soundtrack, _, path in (line.split("\t") for line in lines)]
    # beets asks ffprobe what a file without a suffix is.
    named = [row for row in rows if row[1].suffix]
    for number, (soundtrack, path) in enumerate(named[::EVERY][:TRACKS]):
        link = folder / "inbox" / soundtrack / f"{number:02} {path.name}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    importing = {"copy": False, "write": False, "resume": False, "autotag": False, "quiet": True}
    home = new_home(folder / "home", **{"import": {**importing, "duplicate_action": "keep"}})
    with home.process("import", str(folder / "inbox")) as process:
        err = process.communicate(timeout=280)[1]
        assert process.returncode == 0, err
    tag(home)
    home.configure(resonance={"threads": 1, "profiles": {"dinner": {"count": 4, "from": "artist:supertux-data"}}})
    return Corpus(home, named[1][1])


def tag(home: Home) -> None:
    """Titles and artists from the names of files and folders, ratings, a version, and a work of three movements."""
    library = Library(str(home.library))
    for item in library.items():
        path, number = Path(os.fsdecode(item.path)), item.id or 0
        name = path.parent.name
        item.update({"title": path.stem, "artist": name, "albumartist": name, "album": name, "rating": number % 10})
        item.update({"track": number, "work": "Suite" if number in SUITE else ""})
        item.update({4: {"title": "Frontier"}, 6: {"title": "Frontier (Live)"}}.get(number, {}))
        item.store()
    for album in library.albums():
        name = album.items()[0].artist
        album.update({"album": name, "albumartist": name})
        album.store()
    library._close()
