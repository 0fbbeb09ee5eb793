"""Each fault of the data is seen by `check`, mended by `check --repair`, and nothing else is touched."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from beetsplug.resonance.commands.check import check
from resonance_engine.index.files import index_path, load_index, open_index, save_index
from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.store import Embedding, Store, Windows
from resonance_engine.store.sqlite_database import SqliteDatabase
from tests.embeddings import WIDTH, unit_vectors
from tests.plugin.file_library import Dump, FileLibrary, missing_rows, write_sounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TRACKS = 6
PAGE = 16384


class Shelf(FileLibrary):
    """Six tracks, all analysed and searched; `fresh` puts the sidecar back as it was then."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for number, source in enumerate(write_sounds(folder / "sounds", TRACKS)):
            self.add(source, f"{number}.flac")
        self.analyze()
        self.open_indexes()
        self.kept = folder / "kept"
        self.kept.mkdir()
        for path in self.sidecar_files():
            shutil.copy2(path, self.kept)

    def sidecar_files(self) -> list[Path]:
        return sorted(self.folder.glob("resonance*"))

    def fresh(self) -> None:
        for path in self.sidecar_files():
            path.unlink()
        for path in self.kept.iterdir():
            shutil.copy2(path, self.folder)

    @property
    def victim(self) -> bytes:
        """The recording that the faults are about."""
        with closing(sqlite3.connect(self.database)) as connection:
            return bytes(connection.execute("SELECT content_key FROM track WHERE item_id = 3").fetchone()[0])


@pytest.fixture(scope="module")
def _shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    made = Shelf(tmp_path_factory.mktemp("check"))
    assert made.check() == ["no problems"]
    yield made
    made.close()


@pytest.fixture
def library(_shelf: Shelf) -> Shelf:
    _shelf.fresh()
    return _shelf


# What the words in capitals stand for.
WORDS = {
    "VICTIM": "content_key = (SELECT content_key FROM track WHERE item_id = 3)",
    "OTHER_KEY": "x'00112233445566778899aabbccddeeff'",
    "NAN": f"x'{np.full(WIDTH, np.nan, '<f2').tobytes().hex()}'",
    "INFINITE": f"x'{np.full(WIDTH, np.inf, '<f2').tobytes().hex()}'",
    "LONG": f"x'{np.full(WIDTH, 1.0, '<f2').tobytes().hex()}'",
}
FAULTS = [
    pytest.param("UPDATE vector SET data = NAN WHERE kind = 'embedding' AND VICTIM", "finite", id="nan"),
    pytest.param("UPDATE vector SET data = INFINITE WHERE kind = 'rhythm' AND VICTIM", "finite", id="infinite"),
    pytest.param("UPDATE vector SET data = LONG WHERE kind = 'timbre' AND VICTIM", "length 1", id="length"),
    pytest.param("UPDATE vector SET data = x'0102' WHERE kind = 'embedding' AND VICTIM", "takes 2", id="width"),
    pytest.param("UPDATE vector SET data = 'text' WHERE kind = 'timbre' AND VICTIM", "is str", id="type"),
    pytest.param("UPDATE vector SET kind = 'mood' WHERE kind = 'timbre' AND VICTIM", "doesn't make", id="kind"),
    pytest.param("UPDATE window SET data = NAN WHERE VICTIM", "The window 0 o", id="window"),
    pytest.param("UPDATE window SET position = 1 WHERE VICTIM", "windows by the model", id="window gone"),
    pytest.param("DELETE FROM window WHERE VICTIM", "windows by the model", id="windows gone"),
    pytest.param("DELETE FROM vector WHERE kind = 'rhythm' AND VICTIM", "the rhythm by the", id="facet gone"),
    pytest.param("DELETE FROM analysis WHERE VICTIM", "the analysis by the", id="analysis gone"),
    pytest.param("UPDATE analysis SET attributes = '{' WHERE VICTIM", "can't be read", id="analysis"),
    pytest.param("INSERT INTO analysis VALUES (OTHER_KEY, '1', '{}')", "no vector and no track", id="analysis alone"),
    pytest.param("INSERT INTO tag VALUES (OTHER_KEY, 'fake', x'')", "no embedding beside", id="tags alone"),
    pytest.param("INSERT INTO tag SELECT content_key, 'fake', x'00' FROM track WHERE VICTIM", "take 1", id="tags"),
    pytest.param("DELETE FROM vector WHERE kind = 'embedding' AND VICTIM", "no embedding beside", id="facets alone"),
    pytest.param("DELETE FROM vector WHERE VICTIM", "1 linked track has no embedding", id="vectors gone"),
    pytest.param(
        "INSERT INTO track VALUES (1, 77, 1.0, 1, 1, OTHER_KEY)", "1 track in the data, no longer", id="no item"
    ),
    pytest.param(
        "INSERT INTO failure VALUES (1, x'6161', 1, 1, 'it is broken', 1, 0.0)", "1 noted failures", id="no file"
    ),
    pytest.param("INSERT INTO track VALUES (9, 3, 1.0, 1, 1, OTHER_KEY)", "missing library", id="no library"),
    pytest.param(
        "INSERT INTO vector VALUES (NULL, OTHER_KEY, 'gone', 'embedding', 1, NULL, x'00')",
        "missing model",
        id="no model",
    ),
]


@pytest.mark.parametrize(("statement", "problem"), FAULTS)
def test_a_fault_in_the_database(library: Shelf, statement: str, problem: str) -> None:
    before, victim = library.dump(), library.victim
    for word, meaning in WORDS.items():
        statement = statement.replace(word, meaning)
    library.tamper(statement)
    with_fault = library.dump()
    lines = library.check()
    assert any(problem in line for line in lines)
    assert lines[-1].startswith("error: ")
    assert lines[-1].endswith("found; run `beet resonance check --repair`")
    assert library.dump() == with_fault, "looking changes nothing"

    assert library.repair()
    assert only(victim, missing_rows(before, library.dump()))
    left = library.check()
    assert (
        left[-1].startswith("no problems")
        or left[-1] == "error: resonance: a problem found; run `beet resonance analyze`"
    )
    library.analyze()
    assert library.check() == ["no problems"]
    assert library.dump() == before, "as if there had been no fault"


def only(victim: bytes, rows: Dump) -> bool:
    """Whether all rows are of one recording."""
    return all(victim in row for each in rows.values() for row in each)


def test_items_that_are_not_analysed_are_no_damage(library: Shelf) -> None:
    library.tamper("DELETE FROM track WHERE item_id = 3")
    assert library.check() == ["no problems; 1 track to analyse with `beet resonance analyze`"]


def test_items_without_files_are_told(library: Shelf) -> None:
    hidden = library.folder / "hidden.flac"
    (library.music / "2.flac").rename(hidden)
    try:
        assert library.check() == ["no problems; 1 track without a file"]
    finally:
        hidden.rename(library.music / "2.flac")


def broken_index(library: Shelf, kind: str, change: Callable[[VectorIndex], VectorIndex]) -> Path:
    """Write another index, sound in itself, as that of the present state."""
    path = index_path(library.folder, "fake", kind)
    with Store(library.database) as store:
        index = open_index(store, "fake", library.folder, kind)
        save_index(path, change(index), "fake", store.generation, kind)
    return path


def other_vector(index: VectorIndex) -> VectorIndex:
    vectors = index.vectors(index.ids)
    vectors[2] = unit_vectors(1, WIDTH, seed=77)[0]
    return VectorIndex(index.ids, vectors)


def other_ids(index: VectorIndex) -> VectorIndex:
    return VectorIndex(index.ids + 1, index.vectors(index.ids))


def one_less(index: VectorIndex) -> VectorIndex:
    return VectorIndex(index.ids[1:], index.vectors(index.ids[1:]))


def other_moments(index: VectorIndex) -> VectorIndex:
    index.moments.moment[0, 0] += 0.1
    return index


@pytest.mark.parametrize("kind", ["embedding", "rhythm"])
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (other_vector, "it holds other vectors"),
        (other_ids, "2 vectors are in one of them only"),
        (one_less, "1 vector is in one of them only"),
        (other_moments, "sums over all vectors"),
    ],
)
def test_an_index_that_disagrees(
    library: Shelf, kind: str, change: Callable[[VectorIndex], VectorIndex], problem: str
) -> None:
    before = library.dump()
    path = broken_index(library, kind, change)
    others = {each: each.read_bytes() for each in library.folder.glob("*.index") if each != path}
    lines = library.check()
    assert str(path) in lines[0]
    if not (change is other_ids and kind == "rhythm"):  # a facet's numbers are not one after the other
        assert problem in lines[0]
    assert lines[1] == "error: resonance: a problem found; run `beet resonance check --repair`"
    assert library.repair()[-1] == f"The index {path} was removed; the next search makes it again."
    assert library.check() == ["no problems"]
    assert library.dump() == before
    assert {each: each.read_bytes() for each in library.folder.glob("*.index")} == others
    library.open_indexes()
    assert load_index(path, "fake", kind) is not None


@pytest.mark.parametrize("damage", [b"", b"garbage", b"resonance index 2\n{}\n"], ids=["empty", "garbage", "header"])
def test_an_index_that_cannot_be_read(library: Shelf, damage: bytes) -> None:
    path = index_path(library.folder, "fake", "timbre")
    path.write_bytes(damage)
    assert str(path) in library.check()[0]
    library.repair()
    assert (library.check(), path.exists()) == (["no problems"], False)


def test_a_torn_index(library: Shelf) -> None:
    path = index_path(library.folder, "fake")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "its content is damaged" in library.check()[0]


def test_an_index_that_is_missing_or_of_an_earlier_state_is_no_damage(library: Shelf) -> None:
    index_path(library.folder, "fake").unlink()
    assert library.check() == ["no problems"]
    with Store(library.database) as store:
        header = json.loads(index_path(library.folder, "fake", "rhythm").read_bytes().split(b"\n")[1])
        assert header["generation"] == store.generation
        one, *facets = unit_vectors(3, WIDTH, seed=9)
        windows = Windows((0.0,), one[None])
        facets_by_name = dict(zip(("timbre", "rhythm"), facets, strict=True))
        store.vectors.put(bytes(16), "fake", Embedding(one, facets_by_name, windows=windows))
        store.analyses.put(bytes(16), "1", {})
        assert header["generation"] < store.generation
    assert library.check() == ["no problems"]


def test_looking_does_not_open_the_database_for_writing(library: Shelf) -> None:
    with library.sidecar() as sidecar:
        check(sidecar, repair=False)
        assert isinstance(sidecar.store.database, SqliteDatabase)
        assert sidecar.store.database._writer is None


def test_a_damaged_note_is_mended(library: Shelf) -> None:
    before = library.dump()
    library.tamper("INSERT INTO state VALUES ('mood', '{')")
    assert library.check()[0] == "The note 'mood' can't be read."
    assert library.repair() == ["The note 'mood' can't be read.", "1 note that said nothing was dropped."]
    assert (library.check(), library.dump()) == (["no problems"], before)


@pytest.mark.parametrize(
    "statement", ["UPDATE state SET value = '{' WHERE key = 'generation'", "PRAGMA application_id=7"]
)
def test_damage_of_a_single_value_without_which_nothing_can_be_read(library: Shelf, statement: str) -> None:
    before = library.dump()
    library.tamper(statement)
    assert "beet resonance check --repair" in library.check()[-1]
    assert library.repair()[-1] == f"{TRACKS} recordings and {TRACKS} tracks were saved."
    assert (library.check(), library.dump()) == (["no problems"], before)


@pytest.mark.parametrize("damage", ["head", "cut", "garbage", "leaf"])
def test_a_damaged_database_is_kept_and_what_is_left_of_it_used(library: Shelf, damage: str) -> None:
    content = library.database.read_bytes()
    leaf = PAGE * (root_page(library.database, "vector") - 1)
    library.database.write_bytes(
        {
            "head": bytes(PAGE) + content[PAGE:],
            "cut": content[: leaf + PAGE],
            "garbage": b"garbage" * 10_000,
            "leaf": content[:leaf] + b"\xff" * PAGE + content[leaf + PAGE :],
        }[damage]
    )
    damaged = library.database.read_bytes()
    for lines in (library.check(), library.check()):
        assert lines[-1].startswith("error: ")
        assert str(library.database) in "".join(lines)
        assert "beet resonance check --repair" in lines[-1]
    assert library.database.read_bytes() == damaged, "looking changes nothing"

    lines = library.repair()
    assert "check --repair" not in " ".join(lines), "it is what is being done"
    kept = library.folder / "resonance.db.damaged-1"
    assert f"It was kept as {kept}." in lines
    assert kept.read_bytes() == damaged
    heard = len(library.runtime.embedded)
    library.analyze()
    assert library.check() == ["no problems"]
    assert (
        len(library.runtime.embedded) - heard == {"head": 0, "cut": TRACKS, "garbage": TRACKS, "leaf": TRACKS}[damage]
    )


def root_page(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        [number] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        return int(number)
