"""Feature caches: what is put there comes back, from memory as from disk, and nothing that was tampered with does."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resonance_engine.errors import CacheError
from resonance_engine.training.data import cache as cache_module
from resonance_engine.training.data.cache import UNCHANGED, FeatureCache, RamCache, SqliteCache, window_checksum
from tests.paths import ROOT
from tests.tiny_models import SPEC, features

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

ONE, TWO = b"1" * 16, b"2" * 16
REMEDY = "delete it and run the command again"


@pytest.fixture(params=["sqlite", "ram"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FeatureCache]:
    with closing(RamCache(SPEC) if request.param == "ram" else SqliteCache(tmp_path, SPEC)) as cache:
        yield cache


def same(found: dict[str, NDArray[np.float16]], expected: dict[str, NDArray[np.float32]]) -> None:
    assert list(found) == list(SPEC.modalities)
    for name, values in expected.items():
        assert found[name].dtype == np.float16
        np.testing.assert_array_equal(found[name], values.astype(np.float16))


class TestBothBackends:
    def test_what_is_put_is_read(self, cache: FeatureCache) -> None:
        assert cache.keys() == set()
        cache.put(ONE, features(3, seed=1))
        cache.put(TWO, features(1, seed=2))
        assert cache.keys() == {ONE, TWO}
        assert (cache.windows(ONE), cache.windows(TWO)) == (3, 1)
        same(cache.read(ONE), features(3, seed=1))
        same(cache.read(TWO), features(1, seed=2))

    def test_later_features_take_the_place_of_earlier_ones(self, cache: FeatureCache) -> None:
        cache.put(ONE, features(3, seed=1))
        cache.put(ONE, features(2, seed=2))
        assert cache.keys() == {ONE}
        same(cache.read(ONE), features(2, seed=2))
        with pytest.raises(IndexError):
            cache.read(ONE, [2])

    def test_what_the_caller_does_with_his_arrays_later_changes_nothing(self, cache: FeatureCache) -> None:
        given_features: dict[str, Any] = {name: x.astype(np.float16) for name, x in features(2).items()}
        cache.put(ONE, given_features)
        for values in given_features.values():
            values[:] = 0
        same(cache.read(ONE), features(2))

    def test_makers_keep_their_features_apart(self, cache: FeatureCache) -> None:
        cache.put(ONE, features(1))
        cache.put(ONE + b"\1", features(1, seed=1), "scipy 1")
        cache.put(ONE + b"\2", features(1, seed=2), "scipy 2")
        assert cache.keys() == cache.keys(UNCHANGED) == {ONE}
        assert cache.keys("scipy 1") == {ONE + b"\1"}
        assert cache.keys("torchaudio 1") == set()
        cache.put(ONE + b"\1", features(1, seed=3), "scipy 2")
        assert cache.keys("scipy 1") == set()
        same(cache.read(ONE + b"\1"), features(1, seed=3))

    def test_a_key_that_is_not_there(self, cache: FeatureCache) -> None:
        cache.put(ONE, features(1))
        for read in (cache.read, cache.windows, lambda key: cache.read(key, [0]), lambda key: cache.read(key, [])):
            assert read(ONE)
            with pytest.raises(KeyError):
                read(TWO)

    @pytest.mark.parametrize("rows", [[3], [0, 7], [-1]])
    def test_a_window_that_is_not_there(self, cache: FeatureCache, rows: list[int]) -> None:
        cache.put(ONE, features(3))
        with pytest.raises(IndexError, match="no window"):
            cache.read(ONE, rows)

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (lambda x: {**x, "timbre": x["timbre"][:1]}, "same windows"),
            (lambda x: {name: values[:0] for name, values in x.items()}, "same windows"),
            (lambda x: {**x, "rhythm": x["rhythm"][:, :5]}, "rhythm of the shape"),
            (lambda x: {name: x[name] for name in ("timbre", "rhythm")}, "expected the modalities"),
            (lambda x: {**x, "mood": x["rhythm"]}, "expected the modalities"),
            (lambda x: {**x, "rhythm": np.full_like(x["rhythm"], np.nan)}, "finite"),
            (lambda x: {**x, "rhythm": np.full_like(x["rhythm"], 1e6)}, "finite"),
        ],
    )
    def test_what_are_no_features_is_refused(
        self, cache: FeatureCache, change: Callable[[dict[str, Any]], dict[str, Any]], sentence: str
    ) -> None:
        with pytest.raises(ValueError, match=sentence):
            cache.put(ONE, change(features(2)))
        assert cache.keys() == set()


def test_more_than_the_memory_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = RamCache(SPEC)
    for song in (1, 1, 2):
        cache.put(bytes([song]), features(3))
    size = sum(x.nbytes for key in cache.keys() for x in cache.read(key).values())  # noqa: SIM118 - no dictionary
    assert cache.size == size
    monkeypatch.setattr(os, "sysconf", lambda name: 1 if name == "SC_PAGE_SIZE" else size)
    cache.put(b"\1", features(3, seed=1))
    with pytest.raises(CacheError, match=r"this machine has .* of memory; set cache\.backend to sqlite"):
        cache.put(b"\3", features(1))
    assert cache.keys() == {b"\1", b"\2"}


KEYS = st.binary(min_size=1, max_size=3)


@settings(max_examples=15)
@given(
    puts=st.lists(st.tuples(KEYS, st.integers(1, 4), st.integers(0, 9)), min_size=1, max_size=5),
    draws=st.lists(st.tuples(st.integers(0, 99), st.lists(st.integers(0, 99), max_size=5)), max_size=4),
)
def test_both_backends_read_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    puts: list[tuple[bytes, int, int]],
    draws: list[tuple[int, list[int]]],
) -> None:
    with closing(SqliteCache(tmp_path_factory.mktemp("cache"), SPEC)) as disk, closing(RamCache(SPEC)) as memory:
        for key, windows, seed in puts:
            for cache in (disk, memory):
                cache.put(key, features(windows, seed))
        assert disk.keys() == memory.keys() == {key for key, _, _ in puts}
        for which, places in draws:
            key = puts[which % len(puts)][0]
            count = memory.windows(key)
            assert disk.windows(key) == count
            rows = [place % count for place in places]
            read, remembered = disk.read(key, rows), memory.read(key, rows)
            assert list(read) == list(remembered)
            for name, values in remembered.items():
                assert read[name].dtype == values.dtype
                np.testing.assert_array_equal(read[name], values)


WRITER = """
import sys
from pathlib import Path
from resonance_engine.training.data.cache import SqliteCache
from tests.tiny_models import SPEC, features
cache = SqliteCache(Path(sys.argv[1]), SPEC)
for song in range(20):
    cache.put(bytes([int(sys.argv[2]), song]) * 8, features(2, song))
"""


class TestFile:
    def test_it_lasts(self, tmp_path: Path) -> None:
        with closing(SqliteCache(tmp_path / "new" / "folder", SPEC)) as cache:
            cache.put(ONE, features(3))
        with closing(SqliteCache(tmp_path / "new" / "folder", SPEC)) as cache:
            same(cache.read(ONE, [2, 0]), {name: x[[2, 0]] for name, x in features(3).items()})

    def test_several_processes_write_and_read_one_file(self, tmp_path: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        commands = [[sys.executable, "-P", "-c", WRITER, str(tmp_path), str(number)] for number in range(2)]
        processes = [subprocess.Popen(command, env=environment) for command in commands]
        with closing(SqliteCache(tmp_path, SPEC)) as cache:
            assert [process.wait(60) for process in processes] == [0, 0]
            assert len(cache.keys()) == 40
            for song in range(20):
                same(cache.read(bytes([1, song]) * 8), features(2, song))

    def test_each_spec_and_front_end_has_its_own_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        other = replace(SPEC, hpss=False)
        with closing(SqliteCache(tmp_path, SPEC)) as cache, closing(SqliteCache(tmp_path, other)) as second:
            cache.put(ONE, features(1))
            assert second.keys() == set()
            assert SPEC.digest() in cache.path.name
        monkeypatch.setattr(cache_module, "FRONT_END_VERSION", 99)
        with closing(SqliteCache(tmp_path, SPEC)) as newer:
            assert newer.keys() == set()

    def test_a_file_under_the_name_of_another_spec_is_refused(self, tmp_path: Path) -> None:
        other = replace(SPEC, hpss=False)
        with closing(SqliteCache(tmp_path, SPEC)) as cache:
            cache.put(ONE, features(1))
        cache.path.rename(cache.path.with_name(cache.path.name.replace(SPEC.digest(), other.digest())))
        with pytest.raises(CacheError, match=f"another front end than its name says; {REMEDY}"):
            SqliteCache(tmp_path, other)

    def test_a_database_of_another_program_is_left_alone(self, tmp_path: Path) -> None:
        path = made(tmp_path)
        path.unlink()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE diary (line)")
        before = path.read_bytes()
        with pytest.raises(CacheError, match="is not a feature cache of this version"):
            SqliteCache(tmp_path, SPEC)
        assert path.read_bytes() == before

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(CacheError, match=r"folder .*file/cache for the feature cache cannot be made"):
            SqliteCache(tmp_path / "file" / "cache", SPEC)


def made(folder: Path, songs: int = 3) -> Path:
    """The file of a cache with some songs of two windows."""
    with closing(SqliteCache(folder, SPEC)) as cache:
        for song in range(songs):
            cache.put(bytes([song]) * 16, features(2, song))
    return cache.path


@pytest.fixture(scope="module")
def sound_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("sound"))


def changed(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement, values).rowcount > 0


class TestDamage:
    @pytest.mark.parametrize("content", [b"no database\n" * 5000, b"SQLite format 3\0" + b"\xff" * 60_000])
    def test_garbage(self, tmp_path: Path, content: bytes) -> None:
        made(tmp_path).write_bytes(content)
        with pytest.raises(CacheError, match=rf"features-v.*\.db is damaged .*; {REMEDY}"):
            SqliteCache(tmp_path, SPEC)

    KEY = bytes([1]) * 16  # of the song with the id 2

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE windows SET data = zeroblob(length(data)) WHERE position = 1 AND song = 2",
            "UPDATE windows SET data = substr(data, 1, 100) WHERE position = 1 AND song = 2",
            "UPDATE windows SET data = 'text' WHERE position = 1 AND song = 2",
            "UPDATE windows SET data = CAST(x'007e' || substr(data, 3) AS BLOB) WHERE position = 1 AND song = 2",
            "UPDATE windows SET data = data || x'00ff' WHERE position = 1 AND song = 2",
            "UPDATE windows SET checksum = checksum + 1 WHERE position = 1 AND song = 2",
            "UPDATE windows SET (data, checksum) = (SELECT w.data, w.checksum FROM windows w WHERE w.position = 0 "
            "AND w.song = 2) WHERE position = 1 AND song = 2",
            "DELETE FROM windows WHERE position = 1 AND song = 2",
            "UPDATE songs SET windows = 1000000 WHERE id = 2",
            "UPDATE songs SET windows = 'many' WHERE id = 2",
        ],
    )
    def test_a_changed_row_is_never_served(self, tmp_path: Path, statement: str) -> None:
        changed(made(tmp_path), statement)
        with closing(SqliteCache(tmp_path, SPEC)) as cache:
            with pytest.raises(CacheError, match=f"is damaged.*; {REMEDY}"):
                cache.read(self.KEY)
            same(cache.read(bytes(16)), features(2, 0))

    def test_a_single_window_is_checked_too(self, tmp_path: Path) -> None:
        changed(made(tmp_path), "UPDATE windows SET data = zeroblob(length(data)) WHERE position = 1 AND song = 2")
        with closing(SqliteCache(tmp_path, SPEC)) as cache:
            same(cache.read(self.KEY, [0]), {name: x[:1] for name, x in features(2, 1).items()})
            with pytest.raises(CacheError, match=REMEDY):
                cache.read(self.KEY, [1])

    def test_a_row_of_another_size_with_its_checksum_is_none(self, tmp_path: Path) -> None:
        data = b"\0" * 100
        changed(
            made(tmp_path), "UPDATE windows SET data = ?, checksum = ? WHERE position = 1 AND song = 2", data,
            window_checksum(self.KEY, 1, data),
        )  # fmt: skip
        with closing(SqliteCache(tmp_path, SPEC)) as cache, pytest.raises(CacheError, match=REMEDY):
            cache.read(self.KEY)

    def test_a_song_that_took_the_key_of_another(self, tmp_path: Path) -> None:
        changed(made(tmp_path), "UPDATE songs SET key = ? WHERE key = ?", b"x" * 16, self.KEY)
        with closing(SqliteCache(tmp_path, SPEC)) as cache:
            for use in (cache.keys, lambda: cache.read(b"x" * 16, [0]), lambda: cache.windows(b"x" * 16)):
                with pytest.raises(CacheError, match=REMEDY):
                    use()

    def test_a_song_that_the_index_has_lost_is_damage(self, sound_file: Path, tmp_path: Path) -> None:
        with closing(sqlite3.connect(sound_file)) as file:
            ((page, size),) = file.execute(
                "SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE type = 'index' AND tbl_name = ?",
                ("songs",),
            )
        content = bytearray(sound_file.read_bytes())
        entries = (page - 1) * size + 3  # how many entries the page has, two bytes
        content[entries : entries + 2] = b"\0\0"
        (tmp_path / sound_file.name).write_bytes(content)
        with closing(SqliteCache(tmp_path, SPEC)) as cache:
            (key, *_) = cache.keys()
            with pytest.raises(CacheError, match="delete it and run the command again"):
                cache.read(key)
            with pytest.raises(KeyError):
                cache.read(b"another song")

    @settings(max_examples=40)
    @given(st.data())
    def test_wherever_a_file_is_cut_or_changed_no_wrong_number_comes_out(
        self, tmp_path_factory: pytest.TempPathFactory, sound_file: Path, data: st.DataObject
    ) -> None:
        content = bytearray(sound_file.read_bytes())
        if data.draw(st.booleans(), "cut"):
            del content[data.draw(st.integers(1, len(content) - 1), "length") :]
        else:
            at = data.draw(st.integers(0, len(content) - 1), "place")
            content[at : at + data.draw(st.integers(1, 4096), "many")] = data.draw(st.binary(min_size=1, max_size=64))
        folder = tmp_path_factory.mktemp("cache")
        (folder / sound_file.name).write_bytes(content)
        with suppress(CacheError), closing(SqliteCache(folder, SPEC)) as cache:
            for key in cache.keys() & {bytes([song]) * 16 for song in range(3)}:
                with suppress(CacheError):
                    same(cache.read(key), features(2, key[0]))
