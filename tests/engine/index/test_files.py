"""An index opened from its file is the index that the store would give, whatever happened to either."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import faiss
import numpy as np
import pytest

from resonance_engine.errors import CatalogError, StoreError
from resonance_engine.index.backends import NumpyScan
from resonance_engine.index.catalog_file import read_catalog_index, write_catalog_index
from resonance_engine.index.files import (
    index_path,
    load_index,
    open_index,
    save_index,
)
from resonance_engine.index.vector_index import VectorIndex
from resonance_engine.store import Embedding, Store
from resonance_engine.store.vectors import VectorTable
from tests.embeddings import MODEL, WIDTH, key, stored, track, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator


VECTORS = unit_vectors(400)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "resonance.db") as store:
        store.models.register(MODEL)
        put(store, range(100))
        yield store


def put(store: Store, contents: range) -> None:
    store.vectors.put_many(MODEL.id, {key(i): Embedding(VECTORS[i % len(VECTORS)]) for i in contents})


def assert_same(index: VectorIndex, store: Store) -> None:
    ids, vectors = store.vectors.matrix(MODEL.id)
    np.testing.assert_array_equal(index.ids, ids)
    np.testing.assert_array_equal(index.vectors(ids), vectors)


def cached(store: Store) -> tuple[int, int] | None:
    """Vectors and generation of the file beside the store."""
    found = load_index(index_path(store.path.parent, MODEL.id), MODEL.id)
    return found and (len(found[0]), found[1])


class TestOpening:
    def test_a_file_is_made_and_used(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = store.path.parent
        assert_same(open_index(store, MODEL.id, folder), store)
        assert cached(store) == (100, store.generation)
        monkeypatch.setattr(VectorTable, "matrix", None)
        assert len(open_index(store, MODEL.id, folder)) == 100

    def test_few_changes_are_applied_and_many_written(self, store: Store) -> None:
        open_index(store, MODEL.id, store.path.parent)
        first = store.generation
        put(store, range(100, 164))
        assert_same(open_index(store, MODEL.id, store.path.parent), store)
        assert cached(store) == (100, first)
        put(store, range(164, 165))
        assert_same(open_index(store, MODEL.id, store.path.parent), store)
        assert cached(store) == (165, store.generation)

    def test_five_percent_are_few_in_a_large_store(self, store: Store) -> None:
        put(store, range(100, 2000))
        open_index(store, MODEL.id, store.path.parent)
        put(store, range(2000, 2104))
        assert_same(open_index(store, MODEL.id, store.path.parent), store)
        assert cached(store)[0] == 2000
        put(store, range(2104, 2106))
        open_index(store, MODEL.id, store.path.parent)
        assert cached(store)[0] == 2106

    def test_replaced_and_pruned_vectors_are_followed(self, store: Store) -> None:
        open_index(store, MODEL.id, store.path.parent)
        store.tracks.link_many(store.libraries.get_or_create("home"), [track(i, i) for i in range(90)])
        store.vectors.put(key(3), MODEL.id, Embedding(VECTORS[300]))
        store.maintenance.prune()
        index = open_index(store, MODEL.id, store.path.parent)
        assert len(index) == 90
        assert_same(index, store)

    def test_other_models_do_not_matter(self, store: Store) -> None:
        open_index(store, MODEL.id, store.path.parent)
        before = cached(store)
        store.vectors.put(key(3), MODEL.id, Embedding(VECTORS[3], {"timbre": VECTORS[4]}))
        assert store.generation > before[1]
        assert_same(open_index(store, MODEL.id, store.path.parent), store)
        assert cached(store) == before

    def test_an_empty_store_has_an_empty_index_and_no_file(self, tmp_path: Path) -> None:
        with Store(tmp_path / "empty.db") as store:
            with pytest.raises(StoreError, match="no model"):
                open_index(store, MODEL.id, tmp_path)
            store.models.register(MODEL)
            assert open_index(store, MODEL.id, tmp_path).dimensions == WIDTH
        assert list(tmp_path.glob("*.index")) == []

    def test_a_folder_that_cannot_be_written_only_costs_time(self, store: Store, tmp_path: Path) -> None:
        for folder in (tmp_path / "nowhere", Path("/proc")):
            assert_same(open_index(store, MODEL.id, folder), store)

    def test_numpy_reads_the_store_each_time(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        open_index(store, MODEL.id, store.path.parent)
        monkeypatch.setitem(sys.modules, "faiss", None)
        index_path(store.path.parent, MODEL.id).touch()
        index = open_index(store, MODEL.id, store.path.parent)
        assert isinstance(index.scan, NumpyScan)
        assert_same(index, store)
        save_index(store.path.parent / "new.index", index, MODEL.id, 1)
        assert not (store.path.parent / "new.index").exists()

    def test_a_restored_backup_is_not_mistaken_for_the_store(self, store: Store, tmp_path: Path) -> None:
        store.close()
        backup = shutil.copy(store.path, tmp_path / "backup.db")
        put(store, range(100, 150))
        open_index(store, MODEL.id, tmp_path)
        store.close()
        shutil.move(backup, store.path)
        assert_same(open_index(store, MODEL.id, tmp_path), store)

    @pytest.mark.parametrize("growth", [10, 50, 60])
    def test_nor_is_one_that_has_grown_again(self, store: Store, tmp_path: Path, growth: int) -> None:
        store.close()
        backup = shutil.copy(store.path, tmp_path / "backup.db")
        put(store, range(100, 150))
        open_index(store, MODEL.id, tmp_path)
        store.close()
        shutil.move(backup, store.path)
        put(store, range(200, 200 + growth))
        assert_same(open_index(store, MODEL.id, tmp_path), store)


class TestDamage:
    @pytest.mark.parametrize(
        "damage",
        [
            pytest.param(lambda _: b"", id="empty"),
            pytest.param(lambda _: b"x" * 5000, id="garbage"),
            pytest.param(lambda content: content[:10], id="cut in the first line"),
            pytest.param(lambda content: content[:60], id="cut in the header"),
            pytest.param(lambda content: content[:-1], id="cut at the end"),
            pytest.param(lambda content: content + b"x", id="longer"),
            pytest.param(lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:], id="one byte"),
            pytest.param(lambda content: content.replace(b"index 3", b"index 9", 1), id="newer format"),
            pytest.param(lambda content: content.replace(b'"a1b2"', b'"ffff"', 1), id="other model"),
            pytest.param(lambda content: content.replace(b"generation", b"eon", 1), id="other header"),
            pytest.param(lambda content: content.replace(b'tion": ', b'tion": "', 1), id="json"),
            pytest.param(lambda content: content.replace(b'tion": ', b'tion": 9', 1), id="ahead"),
            pytest.param(lambda content: content.split(b"\n")[0] + b"\n{}\n", id="empty header"),
            pytest.param(lambda content: content.split(b"\n")[0] + b"\n[]\n", id="list for header"),
        ],
    )
    def test_a_file_of_any_content_is_made_again(self, store: Store, damage: object) -> None:
        open_index(store, MODEL.id, store.path.parent)
        path = index_path(store.path.parent, MODEL.id)
        sound = path.read_bytes()
        assert damage(sound) != sound
        path.write_bytes(damage(sound))
        assert_same(open_index(store, MODEL.id, store.path.parent), store)
        assert path.read_bytes() == sound

    def test_an_index_of_another_width(self, store: Store) -> None:
        path = index_path(store.path.parent, MODEL.id)
        save_index(path, VectorIndex(np.arange(2), unit_vectors(2, 16)), MODEL.id, store.generation)
        assert_same(open_index(store, MODEL.id, store.path.parent), store)

    def test_a_folder_in_its_place(self, store: Store) -> None:
        index_path(store.path.parent, MODEL.id).mkdir()
        assert_same(open_index(store, MODEL.id, store.path.parent), store)

    def test_writing_leaves_no_other_files(self, store: Store) -> None:
        open_index(store, MODEL.id, store.path.parent)
        names = {path.name for path in store.path.parent.iterdir()}
        assert names <= {"resonance.db", "resonance.db-wal", "resonance.db-shm", "resonance-a1b2.index"}


class TestCatalog:
    @pytest.mark.parametrize("kind", [None, NumpyScan(WIDTH)])
    def test_is_a_plain_faiss_file(self, tmp_path: Path, kind: NumpyScan | None) -> None:
        index = VectorIndex(np.array([7, 3, 5]), VECTORS[:3], kind)
        path = tmp_path / "index.faiss"
        write_catalog_index(path, index)
        plain = faiss.read_index(str(path))
        np.testing.assert_array_equal(plain.reconstruct(3), stored(VECTORS[1]))
        found = read_catalog_index(path)
        assert list(found.ids) == [3, 5, 7]
        assert found.nearest(VECTORS[:1], 1)[1].tolist() == [[7]]

    def test_damage_is_refused_or_harmless(self, tmp_path: Path) -> None:
        path = tmp_path / "index.faiss"
        write_catalog_index(path, VectorIndex(np.arange(20), VECTORS[:20]))
        sound = path.read_bytes()
        cut = [sound[:length] for length in range(0, len(sound), 40)]
        flipped = [sound[:at] + bytes([sound[at] ^ 0x55]) + sound[at + 1 :] for at in range(100)]
        refused = 0
        for content in cut + flipped:
            path.write_bytes(content)
            try:
                scores, _ = read_catalog_index(path).nearest(VECTORS[:1], 3)
                assert scores.shape == (1, 3)
            except CatalogError:
                refused += 1
        assert refused >= len(cut) + 40

    def test_what_cannot_be_read_or_written_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        index = VectorIndex(np.array([7]), VECTORS[:1])
        with pytest.raises(CatalogError, match="can't be written: No such file"):
            write_catalog_index(tmp_path / "nowhere" / "index.faiss", index)
        with pytest.raises(CatalogError, match="can't be read: No such file"):
            read_catalog_index(tmp_path / "index.faiss")
        (tmp_path / "index.faiss").write_bytes(b"garbage")
        with pytest.raises(CatalogError, match="is not a FAISS index; export"):
            read_catalog_index(tmp_path / "index.faiss")
        faiss.write_index(faiss.IndexFlatIP(4), str(tmp_path / "bare.faiss"))
        with pytest.raises(CatalogError, match="another kind"):
            read_catalog_index(tmp_path / "bare.faiss")
        monkeypatch.setitem(sys.modules, "faiss", None)
        with pytest.raises(CatalogError, match="install faiss-cpu"):
            read_catalog_index(tmp_path / "index.faiss")
        with pytest.raises(CatalogError, match="install faiss-cpu"):
            write_catalog_index(tmp_path / "index.faiss", VectorIndex(np.array([7]), VECTORS[:1]))
