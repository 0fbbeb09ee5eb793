"""Files that are replaced over and over: an index, a playlist, a catalog."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.catalog_files import CatalogEntry as CatalogEntry
from resonance_engine.catalog_files import read_catalog, write_catalog
from resonance_engine.errors import CatalogError
from resonance_engine.index.files import VectorIndex, load_index, save_index
from resonance_engine.playlist import m3u
from tests.embeddings import stored, unit_vectors
from tests.reliability.crash_harness import LATEST, CrashFindings, WriterLog, left_behind

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.store.records import Matrix
    from tests.reliability.crash_harness import Announce

MODEL_ID = "made-up"
WIDTH = 64
ROWS = 16_000
TRACKS = 1_500  # of a playlist
SONGS = 200  # of a catalog


class Replaced:
    """A file, or some that belong together, of which each writing has another content, told by its number."""

    name: str
    latest = LATEST
    kills_per_home = 12  # so that what a kill left is met by the writers after it

    def content(self, number: int) -> Any:
        """What writing takes, made before it begins."""
        raise NotImplementedError

    def put(self, home: Path, number: int, content: Any) -> None:
        raise NotImplementedError

    def present(self, home: Path, numbers: list[int]) -> int | str:
        """Which of these writings is there, in full; else what is wrong."""
        raise NotImplementedError

    def replace(self, home: Path, number: int) -> None:
        self.put(home, number, self.content(number))

    def prepare(self, home: Path) -> None:
        (home / "practice").mkdir()
        self.replace(home, -1)

    def write(self, home: Path, facts: Any, first: int, announce: Announce) -> None:
        del facts
        for number in range(2):  # what comes for the first time takes longer
            self.replace(home / "practice", number)
        announce("ready")
        number = first
        while True:
            content = self.content(number)
            announce("begun", number)
            self.put(home, number, content)
            announce("done", number)
            number += 1

    def examine(self, home: Path, facts: Any, log: WriterLog) -> CrashFindings:
        del facts
        sure = log.done[-1] if log.done else -1
        # A kill in a write leaves the state before or after it, and the next one begins from what that was.
        unsure = [number for number in log.begun if number > sure]
        found = self.present(home, [sure, *unsure])
        losses = [found] if isinstance(found, str) else []
        left = left_behind(home, age=True)
        self.replace(home, log.last)
        if self.present(home, [log.last]) != log.last:
            losses.append("what was written after the kill is not there")
        return CrashFindings(losses, left, left_behind(home))


class Index(Replaced):
    """The file of an index of some megabytes; its generation is the number of the writing."""

    name = "index"

    def content(self, number: int) -> VectorIndex:
        return index_of(number % 2)

    def put(self, home: Path, number: int, content: VectorIndex) -> None:
        save_index(home / "index", content, MODEL_ID, number + 1)

    def present(self, home: Path, numbers: list[int]) -> int | str:
        loaded = load_index(home / "index", MODEL_ID)
        if loaded is None:
            return "there is no index"
        index, generation = loaded
        if generation - 1 not in numbers:
            return f"the index of writing {generation - 1} is there, not one of {numbers}"
        ids, vectors = rows_of((generation - 1) % 2)
        if not (np.array_equal(index.ids, ids) and np.array_equal(index.vectors(ids), vectors)):
            return f"the index of writing {generation - 1} holds other vectors"
        return generation - 1


@cache
def rows_of(parity: int) -> tuple[Any, Matrix]:
    """The ids and vectors of an index; the two differ in size, too."""
    count = ROWS - parity * ROWS // 10
    return np.arange(1, count + 1, dtype=np.int64), stored(unit_vectors(count, WIDTH, seed=parity))


@cache
def index_of(parity: int) -> VectorIndex:
    return VectorIndex(*rows_of(parity))


class List(Replaced):
    """A playlist of some hundred kilobytes."""

    name = "playlist"

    def content(self, number: int) -> list[m3u.M3uEntry]:
        folder = b"/music/" + b"a long name " * 8
        count = TRACKS - number % 7 * 50
        return [
            m3u.M3uEntry(b"%s/%d.flac" % (folder, each), each, f"writing {number}", f"{each}") for each in range(count)
        ]

    def put(self, home: Path, number: int, content: list[m3u.M3uEntry]) -> None:
        m3u.write_playlist(home / "list.m3u8", content, f"similar {number}", absolute=True)

    def present(self, home: Path, numbers: list[int]) -> int | str:
        found = (home / "list.m3u8").read_bytes()
        for number in numbers:
            if found == m3u.format_playlist(
                self.content(number), m3u.base_folder(home / "list.m3u8"), f"similar {number}", True
            ):
                return number
        return f"the playlist of {len(found)} bytes is none of the writings {numbers}"


class CatalogFiles(Replaced):
    """A catalog: three files. By turns tracks come, another model embeds the same ones, and tracks go."""

    name = "catalog"
    refused = "do not belong together"

    def content(self, number: int) -> tuple[list[CatalogEntry], Matrix, dict[str, Any]]:
        count = SONGS + number // 2 % 2 * 10
        entries = [CatalogEntry(each + 1, f"/music/{each}.flac", "", f"writing {number}") for each in range(count)]
        return entries, vectors_of(number % 2)[:count], {"id": f"model-{number % 2}"}

    def put(self, home: Path, number: int, content: tuple[list[CatalogEntry], Matrix, dict[str, Any]]) -> None:
        del number
        write_catalog(home, *content)

    def present(self, home: Path, numbers: list[int]) -> int | str:
        try:
            catalog = read_catalog(home)
        except CatalogError as error:
            # Three files can't be replaced at once. It is told, and the next run writes them again.
            return numbers[-1] if self.refused in str(error) and len(numbers) > 1 else str(error)
        for number in numbers:
            entries, vectors, model = self.content(number)
            if catalog.entries == {entry.id: entry for entry in entries}:
                same = np.array_equal(catalog.index.vectors([entry.id for entry in entries]), vectors)
                if catalog.model_id == model["id"] and same:
                    return number
                return f"the tracks are those of writing {number}, and their vectors are not"
        return f"the tracks are of none of the writings {numbers}"


@cache
def vectors_of(parity: int) -> Matrix:
    return stored(unit_vectors(SONGS + 10, WIDTH, seed=10 + parity))


FILES = (Index(), List(), CatalogFiles())
