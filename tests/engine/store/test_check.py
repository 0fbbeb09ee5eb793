"""Damage is found and said, and mended by dropping what can be made again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.errors import StoreError
from resonance_engine.store import Embedding, Store, Windows
from resonance_engine.store.errors import is_damage
from resonance_engine.store.opening import open_store
from resonance_engine.store.recovery.check import check_store
from resonance_engine.store.recovery.repair import repair_store
from resonance_engine.store.vectors import LENGTH_TOLERANCE
from tests.embeddings import MODEL, key, track, unit_vectors
from tests.raw_sql import change_rows

if TYPE_CHECKING:
    from pathlib import Path

VECTORS = unit_vectors(8)
NAN = np.full(8, np.nan, np.float16).tobytes()
LONG = (VECTORS[0] * 2).astype(np.float16).tobytes()


@pytest.fixture
def path(place: Path | str) -> Path | str:
    fill(place)
    return place


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A store whose columns take values of all types, as no server's do."""
    fill(tmp_path / "resonance.db")
    return tmp_path / "resonance.db"


def fill(place: Path | str) -> None:
    with open_store(place) as store:
        store.models.register(MODEL)
        home = store.libraries.get_or_create("home")
        for content in range(3):
            windows = Windows((0.0, 4.0), VECTORS[2:4])
            embedding = Embedding(VECTORS[content], {"timbre": VECTORS[5]}, windows=windows)
            store.vectors.put(key(content), MODEL.id, embedding)
            store.tracks.link(home, track(content, content))


def test_a_sound_store_has_no_problems(path: Path | str) -> None:
    with open_store(path) as store:
        before = store.generation
        assert check_store(store, MODEL.id) == []
        assert repair_store(store, MODEL.id) == []
        assert store.generation == before


def test_vectors_at_the_edge_of_the_tolerance_are_sound(path: Path | str) -> None:
    with open_store(path) as store:
        for content, length in enumerate((1 - LENGTH_TOLERANCE * 0.99, 1 + LENGTH_TOLERANCE * 0.99)):
            for width in range(8):
                vector = np.eye(8, dtype=np.float32)[width] * np.float32(length)
                store.vectors.put(key(100 + 10 * content + width), MODEL.id, Embedding(vector))
        assert check_store(store, MODEL.id) == []


DATA = "UPDATE vector SET data = :value WHERE content_key = :key AND kind = :kind"
KIND = "UPDATE vector SET kind = :value WHERE content_key = :key AND kind = :kind"
WINDOW = "UPDATE window SET data = :value WHERE content_key = :key AND position = 1"
DELETE = "DELETE FROM vector WHERE content_key = :key AND kind = :kind"


@pytest.mark.parametrize(
    ("statement", "kind", "value", "problem"),
    [
        pytest.param(DATA, "embedding", NAN, "embedding", id="nan"),
        pytest.param(DATA, "timbre", LONG, "length 1 and has", id="length"),
        pytest.param(DATA, "timbre", b"12", "16 bytes and takes 2", id="width"),
        pytest.param(KIND, "timbre", "mood", "doesn't make", id="kind"),
        pytest.param(WINDOW, None, NAN, "window 1", id="window"),
        pytest.param(DELETE, "embedding", None, "no embedding beside it", id="alone"),
    ],
)
def test_damage_is_named_and_repaired(
    path: Path | str, statement: str, kind: str | None, value: object, problem: str
) -> None:
    change_rows(path, statement, key=key(1), kind=kind, value=value)
    with open_store(path) as store:
        problems = check_store(store, MODEL.id)
        assert any(key(1).hex() in sentence and problem in sentence for sentence in problems)
        assert not any(key(other).hex() in sentence for sentence in problems for other in (0, 2))
        before = store.generation

        assert len(repair_store(store, MODEL.id)) == 1
        assert store.generation > before
        assert store.vectors.embedded(map(key, range(3)), MODEL.id) == {key(0), key(2)}
        assert store.vectors.windows(map(key, range(3)), MODEL.id).keys() == {key(0), key(2)}
        assert check_store(store, MODEL.id) == ["1 linked track has no embedding by the model small yet."]

        store.vectors.put(key(1), MODEL.id, Embedding(VECTORS[1]))
        assert check_store(store, MODEL.id) == []


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(NAN[:4], "lie between 0 and 1", id="nan"),
        pytest.param(np.array([0.5, 1.5], np.float16).tobytes(), "lie between 0 and 1", id="no probability"),
        pytest.param(b"1234567", "take 4 bytes and take 7", id="width"),
    ],
)
def test_damaged_tags_are_dropped_and_the_vectors_beside_them_stay(path: Path | str, data: bytes, problem: str) -> None:
    with open_store(path) as store:
        store.models.register(replace(MODEL, tags=("sad", "80s")))
        for content in range(3):
            store.vectors.put(key(content), MODEL.id, Embedding(VECTORS[content], tags={"sad": 0.0, "80s": 1.0}))
        assert check_store(store, MODEL.id) == []
    change_rows(path, "UPDATE tag SET data = ? WHERE content_key = ?", data, key(1))
    with open_store(path) as store:
        (sentence,) = check_store(store, MODEL.id)
        assert f"The tags of recording {key(1).hex()} should" in sentence
        assert problem in sentence
        before = store.generation
        assert repair_store(store, MODEL.id) == ["The damaged tags of 1 recording were dropped; analyse them again."]
        assert check_store(store, MODEL.id) == []
        assert store.generation == before
        assert store.vectors.embedded(map(key, range(3)), MODEL.id) == set(map(key, range(3)))
        assert store.vectors.complete(map(key, range(3)), MODEL.id) == {key(0), key(2)}


def test_tags_that_cannot_be_read_are_said_to_be_damaged(path: Path | str) -> None:
    with open_store(path) as store:
        store.models.register(replace(MODEL, tags=("sad", "80s")))
        store.vectors.put(key(1), MODEL.id, Embedding(VECTORS[1], tags={"sad": 0.0, "80s": 1.0}))
    change_rows(path, "UPDATE tag SET data = x'00'")
    with open_store(path) as store:
        for read in (
            lambda: store.tags.get([key(1)], MODEL.id),
            lambda: store.tags.matrix(MODEL.id),
            lambda: store.tags.sample(MODEL.id),
        ):
            with pytest.raises(StoreError, match=r"damaged tags.*--repair"):
                read()


def test_a_damaged_sqlite_index_is_rebuilt(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, '(content_key,', '(content_key DESC,') "
            "WHERE name = 'track_contents'"
        )
        connection.commit()
    with Store(file) as store:
        assert any("resonance.db: " in problem for problem in check_store(store, MODEL.id))
        assert "were made anew" in repair_store(store, MODEL.id)[0]
        assert check_store(store, MODEL.id) == []


def tampered(path: Path, *statements: str) -> None:
    """Change the file below what its tables allow."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '')")
        connection.commit()
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize("value", ["NULL", "7", "'text'", "x'01'"])
def test_values_that_are_no_vectors_are_a_sentence_and_dropped(file: Path, value: str) -> None:
    tampered(file, f"UPDATE vector SET data = {value}", f"UPDATE window SET data = {value}")  # noqa: S608 - a constant
    with Store(file) as store:
        for read in (
            lambda: store.vectors.matrix(MODEL.id),
            lambda: store.vectors.changes(MODEL.id, 0),
            lambda: store.vectors.get([key(1)], MODEL.id),
            lambda: store.vectors.windows([key(1)], MODEL.id),
        ):
            with pytest.raises(StoreError, match=r"damaged vectors.*--repair"):
                read()
        assert len(check_store(store, MODEL.id)) == 3 * (1 + 1 + 2)
        repair_store(store, MODEL.id)
        assert check_store(store, MODEL.id) == ["3 linked tracks have no embedding by the model small yet."]


@pytest.mark.parametrize(
    "value", ["'{'", "NULL", "x'ff'", f"'{'[' * 100_000}'"], ids=["broken", "null", "bytes", "deep"]
)
def test_notes_that_cannot_be_read_are_a_sentence_and_dropped(file: Path, value: str) -> None:
    with Store(file) as store:
        store.state.set("mood", "good")
    tampered(file, f"INSERT INTO state VALUES ('speed', {value})")  # noqa: S608 - a constant
    with Store(file) as store:
        with pytest.raises(StoreError, match=r"makes no sense.*--repair") as caught:
            store.state.get("speed")
        assert is_damage(caught.value)
        assert check_store(store, MODEL.id) == ["The note 'speed' can't be read."]
        assert repair_store(store, MODEL.id) == ["1 note that said nothing was dropped."]
        assert (check_store(store, MODEL.id), store.state.get("speed"), store.state.get("mood")) == ([], None, "good")


@pytest.mark.parametrize("value", ['"often"', "[1]", '{"00": 7}', '{"zz": ["00"]}'])
def test_pairs_that_are_none_are_dropped(file: Path, value: str) -> None:
    tampered(file, f"INSERT INTO state VALUES ('pairs_apart', '{value}')")  # noqa: S608 - a constant
    with Store(file) as store:
        with pytest.raises(StoreError, match="makes no sense"):
            store.incompatible_pairs.all()
        assert check_store(store, MODEL.id) == ["The note 'pairs_apart' can't be read."]
        repair_store(store, MODEL.id)
        assert (check_store(store, MODEL.id), store.incompatible_pairs.all()) == ([], frozenset())


def test_a_note_of_another_kind_is_not_known(path: Path | str) -> None:
    with open_store(path) as store:
        store.state.set("speed", "fast")
        assert (store.state.get("speed"), store.state.get("speed", str), store.state.get("speed", int, float)) == (
            "fast",
            "fast",
            None,
        )


@pytest.mark.parametrize("value", ["NULL", "x'7b7d'", "'{'", "'[]'", "'7'"])
def test_analyses_that_are_no_names_and_values_are_dropped(file: Path, value: str) -> None:
    tampered(file, f"INSERT INTO analysis SELECT content_key, '1', {value} FROM track")  # noqa: S608 - a constant
    with Store(file) as store:
        with pytest.raises(StoreError, match="makes no sense"):
            store.analyses.get([key(1)])
        if value == "'{'":
            with pytest.raises(StoreError, match=r"makes no sense.*--repair"):
                store.analyses.attributes(MODEL.id, ["tempo"])
        assert check_store(store, MODEL.id) == [
            f"The analysis of recording {key(n).hex()} can't be read." for n in range(3)
        ]
        repair_store(store, MODEL.id)
        assert check_store(store, MODEL.id) == []


@pytest.mark.parametrize("value", ["'{'", "'7.5'", "'true'", "'\"7\"'", "NULL"])
def test_a_generation_that_is_no_number_is_damage(file: Path, value: str) -> None:
    tampered(file, f"UPDATE state SET value = {value} WHERE key = 'generation'")  # noqa: S608 - a constant
    with Store(file) as store:
        for act in (store.models.all, lambda: store.state.set("mood", "good")):
            with pytest.raises(StoreError, match="makes no sense") as caught:
                act()
            assert is_damage(caught.value)
