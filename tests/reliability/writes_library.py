"""What commands keep of a library besides its analysis: dense windows, arrays, answers, and tags in beets' database."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
from beets.library import Library

from beetsplug.resonance.commands.teach import KeyAnswer, save_answers
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.library.tag_changes import GENRES, undo_tags, write_tags
from benchmarks.synthetic_library import fill_library, fill_sidecar
from resonance_engine.store import DenseWindows, Store
from tests.embeddings import key, unit_vectors
from tests.reliability.home_state import unsound
from tests.reliability.writes_stages import OLD, RECORDINGS, WIDTH, Stages, fill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.reliability.writes_stages import State, Step

TRACKS = 400
DENSE, ANSWERS = 40, 30  # recordings, questions
LONGEST = 40  # dense windows of a recording
TASTE = {"taste-axes": (16, WIDTH), "taste-mean": (WIDTH,)}
MAP = {"map old keys": (RECORDINGS, 16), "map old points": (RECORDINGS, 2), "map old centroids": (24, WIDTH)}


def put_dense(number: int) -> Step:
    """The step that keeps the dense windows of a recording, with the pace, as an analysis does."""

    def step(path: Path) -> None:
        with Store(path) as store, store.write():
            windows = DenseWindows(4.0, 18.0, unit_vectors(1 + number % LONGEST, WIDTH, seed=number))
            store.passages.put(key(number), OLD.id, windows)
            store.state.set("seconds_per_dense_window", number / 100)

    return step


def put_arrays(shapes: dict[str, tuple[int, ...]], seed: int) -> Step:
    """The step that keeps arrays that belong together, and a fact beside them."""

    def step(path: Path) -> None:
        chance = np.random.default_rng(seed)
        with Store(path) as store, store.write():
            home = store.libraries.get_or_create("home")
            store.arrays.put(home, {name: chance.standard_normal(shape) for name, shape in shapes.items()})
            store.state.set(f"{next(iter(shapes))}:{home}", seed)

    return step


def with_sidecar(work: Callable[[Sidecar], object]) -> Step:
    """The step that works on the sidecar of the beets library beside it."""

    def step(path: Path) -> None:
        library = Library(str(path.with_name("library.db")), str(path.parent))
        try:
            with closing(Sidecar(library)) as sidecar:
                work(sidecar)
        finally:
            library._close()  # beets offers no other way

    return step


def answer(count: int) -> Step:
    """The step that keeps one answer more, so that there are so many."""
    answers = [KeyAnswer(*(key(each + place).hex() for place in range(3))) for each in range(count)]
    return with_sidecar(lambda sidecar: save_answers(sidecar, answers))


def untagged(folder: Path) -> None:
    """A library of which half the tracks have no genre."""
    fill_library(folder, TRACKS)
    fill_sidecar(folder, TRACKS)
    with closing(sqlite3.connect(folder / "library.db")) as connection, connection:
        connection.execute("UPDATE items SET genres = '' WHERE id % 2")


def write_genres(sidecar: Sidecar) -> None:
    write_tags(sidecar, GENRES, {number: ["jazz", "folk"] for number in range(1, TRACKS + 1, 2)})


class Beside(Stages):
    """Steps that involve the beets library beside a sidecar, whose opening takes longer than a write."""

    latest = 2.0

    def sound(self, folder: Path) -> list[str]:
        return [line for name in ("library.db", "resonance.db") for line in unsound(folder / name)]


class Tags(Beside):
    """Genres of many tracks, all or none, which are restored from wherever a write was broken off."""

    def state(self, folder: Path, template: Path) -> State:
        del template
        with closing(sqlite3.connect(folder / "library.db")) as connection:
            rows = connection.execute("SELECT id, title, genres FROM items ORDER BY id").fetchall()
        return {"items": hashlib.sha256(repr(rows).encode()).hexdigest()}


LIBRARY = (
    Stages("dense windows", fill, *map(put_dense, range(DENSE))),
    Stages("taste and map", fill, put_arrays(TASTE, 1), put_arrays(MAP, 2), put_arrays(TASTE, 3), put_arrays(MAP, 4)),
    Beside("answers", untagged, *map(answer, range(1, ANSWERS + 1))),
    Tags("tags", untagged, with_sidecar(write_genres), with_sidecar(undo_tags)),
)
