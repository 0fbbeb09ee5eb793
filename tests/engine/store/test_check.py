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
from resonance_engine.store.codec import LENGTH_TOLERANCE
from resonance_engine.store.damage import is_damage
from resonance_engine.store.reading import open_reader
from tests.embeddings import MODEL, key, track, unit_vectors

if TYPE_CHECKING:
    from pathlib import Path

VECTORS = unit_vectors(8)
NAN = np.full(8, np.nan, np.float16).tobytes()
LONG = (VECTORS[0] * 2).astype(np.float16).tobytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "resonance.db"
    with Store(path) as store:
        store.register(MODEL)
        home = store.library("home")
        for content in range(3):
            windows = Windows((0.0, 4.0), VECTORS[2:4])
            embedding = Embedding(VECTORS[content], {"timbre": VECTORS[5]}, windows=windows)
            store.put(key(content), MODEL.id, embedding)
            store.link(home, track(content, content))
    return path


def test_a_sound_store_has_no_problems(path: Path) -> None:
    with Store(path) as store:
        before = store.generation
        assert store.check(MODEL.id) == []
        assert store.repair(MODEL.id) == []
        assert store.generation == before


def test_vectors_at_the_edge_of_the_tolerance_are_sound(path: Path) -> None:
    with Store(path) as store:
        for content, length in enumerate((1 - LENGTH_TOLERANCE * 0.99, 1 + LENGTH_TOLERANCE * 0.99)):
            for width in range(8):
                vector = np.eye(8, dtype=np.float32)[width] * np.float32(length)
                store.put(key(100 + 10 * content + width), MODEL.id, Embedding(vector))
        assert store.check(MODEL.id) == []


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
    path: Path, statement: str, kind: str | None, value: object, problem: str
) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement, {"key": key(1), "kind": kind, "value": value})
        connection.commit()
    with Store(path) as store:
        problems = store.check(MODEL.id)
        assert any(key(1).hex() in sentence and problem in sentence for sentence in problems)
        assert not any(key(other).hex() in sentence for sentence in problems for other in (0, 2))
        before = store.generation

        assert len(store.repair(MODEL.id)) == 1
        assert store.generation > before
        assert store.has(map(key, range(3)), MODEL.id) == {key(0), key(2)}
        assert store.windows(map(key, range(3)), MODEL.id).keys() == {key(0), key(2)}
        assert store.check(MODEL.id) == ["1 linked tracks have no embedding by the model small yet."]

        store.put(key(1), MODEL.id, Embedding(VECTORS[1]))
        assert store.check(MODEL.id) == []


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(NAN[:4], "lie between 0 and 1", id="nan"),
        pytest.param(np.array([0.5, 1.5], np.float16).tobytes(), "lie between 0 and 1", id="no probability"),
        pytest.param(b"1234567", "take 4 bytes and take 7", id="width"),
    ],
)
def test_damaged_tags_are_dropped_and_the_vectors_beside_them_stay(path: Path, data: bytes, problem: str) -> None:
    with Store(path) as store:
        store.register(replace(MODEL, tags=("sad", "80s")))
        for content in range(3):
            store.put(key(content), MODEL.id, Embedding(VECTORS[content], tags={"sad": 0.0, "80s": 1.0}))
        assert store.check(MODEL.id) == []
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE tag SET data = ? WHERE content_key = ?", (data, key(1)))
        connection.commit()
    with Store(path) as store:
        (sentence,) = store.check(MODEL.id)
        assert f"The tags of recording {key(1).hex()} should" in sentence
        assert problem in sentence
        before = store.generation
        assert store.repair(MODEL.id) == ["The damaged tags of 1 recording were dropped; analyse them again."]
        assert store.check(MODEL.id) == []
        assert store.generation == before
        assert store.has(map(key, range(3)), MODEL.id) == set(map(key, range(3)))
        assert store.heard(map(key, range(3)), MODEL.id) == {key(0), key(2)}


def test_tags_that_cannot_be_read_are_said_to_be_damaged(path: Path) -> None:
    with Store(path) as store:
        store.register(replace(MODEL, tags=("sad", "80s")))
        store.put(key(1), MODEL.id, Embedding(VECTORS[1], tags={"sad": 0.0, "80s": 1.0}))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE tag SET data = x'00'")
        connection.commit()
    with Store(path) as store:
        for read in (
            lambda: store.tags([key(1)], MODEL.id),
            lambda: store.tag_matrix(MODEL.id),
            lambda: store.tag_sample(MODEL.id),
        ):
            with pytest.raises(StoreError, match=r"damaged tags.*--repair"):
                read()


def test_a_damaged_index_of_the_file_is_made_anew(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, '(content_key,', '(content_key DESC,') "
            "WHERE name = 'track_contents'"
        )
        connection.commit()
    with Store(path) as store:
        assert any("resonance.db: " in problem for problem in store.check(MODEL.id))
        assert "were made anew" in store.repair(MODEL.id)[0]
        assert store.check(MODEL.id) == []


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
def test_values_that_are_no_vectors_are_a_sentence_and_dropped(path: Path, value: str) -> None:
    tampered(path, f"UPDATE vector SET data = {value}", f"UPDATE window SET data = {value}")  # noqa: S608 - a constant
    with Store(path) as store:
        for read in (
            lambda: store.matrix(MODEL.id),
            lambda: store.changes(MODEL.id, 0),
            lambda: store.vectors([key(1)], MODEL.id),
            lambda: store.windows([key(1)], MODEL.id),
        ):
            with pytest.raises(StoreError, match=r"damaged vectors.*--repair"):
                read()
        assert len(store.check(MODEL.id)) == 3 * (1 + 1 + 2)
        store.repair(MODEL.id)
        assert store.check(MODEL.id) == ["3 linked tracks have no embedding by the model small yet."]


@pytest.mark.parametrize(
    "value", ["'{'", "NULL", "x'ff'", f"'{'[' * 100_000}'"], ids=["broken", "null", "bytes", "deep"]
)
def test_notes_that_cannot_be_read_are_a_sentence_and_dropped(path: Path, value: str) -> None:
    with Store(path) as store:
        store.set_state("mood", "good")
    tampered(path, f"INSERT INTO state VALUES ('speed', {value})")  # noqa: S608 - a constant
    with Store(path) as store:
        with pytest.raises(StoreError, match=r"makes no sense.*--repair") as caught:
            store.state("speed")
        assert is_damage(caught.value)
        assert store.check(MODEL.id) == ["The note 'speed' can't be read."]
        assert store.repair(MODEL.id) == ["1 note that said nothing was dropped."]
        assert (store.check(MODEL.id), store.state("speed"), store.state("mood")) == ([], None, "good")


@pytest.mark.parametrize("value", ['"often"', "[1]", '{"00": 7}', '{"zz": ["00"]}'])
def test_pairs_that_are_none_are_dropped(path: Path, value: str) -> None:
    tampered(path, f"INSERT INTO state VALUES ('pairs_apart', '{value}')")  # noqa: S608 - a constant
    with Store(path) as store:
        with pytest.raises(StoreError, match="makes no sense"):
            store.pairs_apart()
        assert store.check(MODEL.id) == ["The note 'pairs_apart' can't be read."]
        store.repair(MODEL.id)
        assert (store.check(MODEL.id), store.pairs_apart()) == ([], frozenset())


def test_a_note_of_another_kind_is_not_known(path: Path) -> None:
    with Store(path) as store:
        store.set_state("speed", "fast")
        assert (store.state("speed"), store.state("speed", str), store.state("speed", int, float)) == (
            "fast",
            "fast",
            None,
        )


@pytest.mark.parametrize("value", ["NULL", "x'7b7d'", "'{'", "'[]'", "'7'"])
def test_analyses_that_are_no_names_and_values_are_dropped(path: Path, value: str) -> None:
    tampered(path, f"INSERT INTO analysis SELECT content_key, '1', {value} FROM track")  # noqa: S608 - a constant
    with Store(path) as store:
        with pytest.raises(StoreError, match="makes no sense"):
            store.analyses([key(1)])
        if value == "'{'":
            with pytest.raises(StoreError, match=r"makes no sense.*--repair"):
                store.attributes(MODEL.id, ["tempo"])
        assert store.check(MODEL.id) == [f"The analysis of recording {key(n).hex()} can't be read." for n in range(3)]
        store.repair(MODEL.id)
        assert store.check(MODEL.id) == []


@pytest.mark.parametrize("value", ["'{'", "'7.5'", "'true'", "'\"7\"'", "NULL"])
def test_a_generation_that_is_no_number_is_damage(path: Path, value: str) -> None:
    tampered(path, f"UPDATE state SET value = {value} WHERE key = 'generation'")  # noqa: S608 - a constant
    for opened in (Store(path), open_reader(path)):
        assert opened is not None
        with opened, pytest.raises(StoreError, match="makes no sense") as caught:
            opened.models()
        assert is_damage(caught.value)
