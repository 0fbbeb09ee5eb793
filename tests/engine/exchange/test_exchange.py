"""Files of vectors: what was exported is imported to the byte, and what is damaged or made up is refused whole."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from resonance_engine.errors import ExchangeError
from resonance_engine.exchange.layout import FLOAT32
from resonance_engine.exchange.reader import open_vectors
from resonance_engine.exchange.writer import collect_vectors, export_store, load_recordings
from resonance_engine.store import Embedding, Store, Windows
from tests.embeddings import key, unit_vectors
from tests.engine.exchange.exchanged import COUNT, MODEL, export, fill, load, save, stored_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]


def import_all(path: Path, database: Path) -> None:
    with open_vectors(path) as vectors, Store(database) as store:
        vectors.verify()
        store.models.register(vectors.model)
        for content_key in vectors.rows:
            recording = vectors.get(content_key)
            assert recording is not None
            store.vectors.put(content_key, vectors.model.id, recording.embedding)
            store.analyses.put(content_key, recording.analysis.extractor_version, recording.analysis.attributes)
            if recording.passages is not None:
                assert vectors.has_passages(content_key)
                store.passages.put(content_key, vectors.model.id, recording.passages)


class TestRoundTrip:
    def test_rows_are_equal_to_the_byte(self, tmp_path: Path) -> None:
        import_all(export(tmp_path), tmp_path / "to.db")
        rows = stored_rows(tmp_path / "from.db")
        assert all(rows.values())
        assert stored_rows(tmp_path / "to.db") == rows

    def test_the_file_of_the_copy_is_the_file(self, tmp_path: Path) -> None:
        path = export(tmp_path)
        import_all(path, tmp_path / "to.db")
        with Store(tmp_path / "to.db") as store:
            export_store(store, MODEL, [key(number) for number in range(COUNT)], tmp_path / "again.npz")
        assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()

    def test_numpy_alone_reads_it_without_pickle(self, tmp_path: Path) -> None:
        arrays = load(export(tmp_path))
        manifest = json.loads(str(arrays["manifest"]))
        assert manifest["model"]["id"] == MODEL.id
        assert arrays["embeddings"].shape == (COUNT, MODEL.dimensions)
        assert arrays["keys"][3].tobytes() == key(3)
        assert arrays["windows"].shape == (sum(arrays["window_counts"]), MODEL.dimensions)
        sizes = np.cumsum(arrays["analysis_sizes"])
        first = json.loads(arrays["analyses"][: sizes[0]].tobytes())
        assert first == {
            "extractor_version": "2",
            "attributes": {"tempo": 120.1, "key": "A minor", "brightness": None, "ü": "ß"},
        }

    def test_float32_comes_to_the_same_rows(self, tmp_path: Path) -> None:
        with Store(tmp_path / "from.db") as store:
            keys = fill(store)
            with collect_vectors(tmp_path / "e.npz", MODEL, FLOAT32) as writer:
                for recording in load_recordings(store, MODEL, keys):
                    writer.add(recording)
                writer.write(tmp_path / "e.npz", {"paths": np.array(["a.flac"] * COUNT)})
        assert load(tmp_path / "e.npz")["embeddings"].dtype == FLOAT32
        import_all(tmp_path / "e.npz", tmp_path / "to.db")
        assert stored_rows(tmp_path / "to.db") == stored_rows(tmp_path / "from.db")

    def test_what_numpy_writes_again_is_read(self, tmp_path: Path) -> None:
        path = export(tmp_path)
        import_all(save(tmp_path / "again.npz", load(path)), tmp_path / "to.db")
        assert stored_rows(tmp_path / "to.db") == stored_rows(tmp_path / "from.db")

    def test_a_recording_may_come_twice(self, tmp_path: Path) -> None:
        path = export(tmp_path)
        arrays = load(path)
        arrays["keys"][4] = arrays["keys"][0]
        with open_vectors(save(path, arrays)) as vectors:
            vectors.verify()
            assert list(vectors.rows.values()) == [0, 1, 2, 3]

    def test_an_incomplete_recording_is_left_out(self, tmp_path: Path) -> None:
        with Store(tmp_path / "from.db") as store:
            keys = fill(store)
            vectors = unit_vectors(2, seed=9)
            store.vectors.put(key(9), MODEL.id, Embedding(vectors[0], {}, {}, Windows((0.0,), vectors[1:])))
            assert export_store(store, MODEL, [*keys, key(9)], tmp_path / "v.npz") == COUNT

    def test_none_is_a_file_too(self, tmp_path: Path) -> None:
        with Store(tmp_path / "from.db") as store:
            fill(store)
            assert export_store(store, MODEL, [], tmp_path / "v.npz") == 0
        with open_vectors(tmp_path / "v.npz") as vectors:
            vectors.verify()
            assert vectors.rows == {}
            assert vectors.get(key(1)) is None


def set_item(name: str, place: Any, value: Any) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        arrays[name][place] = value

    return change


def replace(name: str, make: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        arrays[name] = make(arrays[name])

    return change


def edit_manifest(**values: Any) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        document = json.loads(str(arrays["manifest"]))
        document |= values
        arrays["manifest"] = np.array(json.dumps(document))

    return change


def rename_model(name: str) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        document = json.loads(str(arrays["manifest"]))
        document["model"]["name"] = name
        arrays["manifest"] = np.array(json.dumps(document))

    return change


def analysis(version: str, attributes: str) -> str:
    return f'{{"extractor_version": {version}, "attributes": {attributes}}}'


def analysis_text(text: str) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        rest = arrays["analyses"][arrays["analysis_sizes"][0] :]
        arrays["analyses"] = np.concatenate([np.frombuffer(text.encode("latin-1"), np.uint8), rest])
        arrays["analysis_sizes"][0] = len(text)

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(set_item("embeddings", (2, 3), np.nan), "array embeddings holds NaN or infinity", id="NaN"),
        pytest.param(set_item("facet_rhythm", (0, 0), np.inf), "facet_rhythm holds NaN or infinity", id="infinity"),
        pytest.param(set_item("windows", 3, 0.0), "The window at 0 s should have length 1", id="zeros"),
        pytest.param(set_item("embeddings", 1, 0.5), "The embedding should have length 1 and has 1.41", id="length"),
        pytest.param(set_item("gates", (1, 0), np.nan), "gate of the timbre facet should be a finite", id="gate"),
        pytest.param(set_item("tags", (1, 0), 1.5), "tag 'piano' should have a probability of 0 to 1", id="tag"),
        pytest.param(set_item("tags", (1, 0), np.nan), "its array tags holds NaN", id="tag of NaN"),
        pytest.param(set_item("window_starts", 2, np.nan), "windows that start at 0 s or later", id="start of NaN"),
        pytest.param(set_item("window_starts", 2, -1.0), "windows that start at 0 s or later", id="start before"),
        pytest.param(set_item("window_counts", 0, 2), "its array window_starts should be", id="too many windows"),
        pytest.param(set_item("window_counts", [0, 1], [0, 3]), "should have windows", id="none of one"),
        pytest.param(set_item("window_counts", 0, 2**32 - 1), "should be float64 (42949", id="huge count"),
        pytest.param(set_item("passage_times", (1, 0), 0.0), "dense windows that should have a hop above", id="hop"),
        pytest.param(set_item("passages", (1, 1), 0.9), "dense windows that should have length 1 or 0", id="dense"),
        pytest.param(replace("embeddings", lambda x: x[:, :7]), "should be float16 or float32 (5, 8)", id="width"),
        pytest.param(replace("embeddings", lambda x: x[:4]), "(5, 8) and is float16 (4, 8)", id="rows"),
        pytest.param(replace("embeddings", lambda x: x.astype("f8")), "and is float64 (5, 8)", id="type"),
        pytest.param(replace("keys", lambda x: x[:, :15]), "its array keys should be uint8 (5, 16)", id="short keys"),
        pytest.param(replace("keys", lambda x: x[0, 0]), "its array", id="no keys"),
        pytest.param(replace("window_counts", lambda x: x.astype("i8")), "should be uint32 (5,)", id="type of counts"),
        pytest.param(replace("gates", lambda x: np.array(x.tolist(), object)), "gates holds objects", id="objects"),
        pytest.param(replace("windows", np.asfortranarray), "or is stored by columns", id="columns"),
        pytest.param(lambda arrays: arrays.pop("tags"), "it lacks the array tags", id="no tags"),
        pytest.param(lambda arrays: arrays.pop("keys"), "it has no content keys", id="nothing to go by"),
        pytest.param(lambda arrays: arrays.pop("manifest"), "it has no manifest, which names", id="no manifest"),
        pytest.param(lambda arrays: arrays.update(extra=np.ones(1)), "an array 'extra', which is not", id="unknown"),
        pytest.param(edit_manifest(format="another"), "not that of a file of vectors", id="format"),
        pytest.param(edit_manifest(version=2), "version 2 of the format, and this program reads 1", id="2"),
        pytest.param(edit_manifest(more=1), "its manifest has the unknown key more", id="unknown key"),
        pytest.param(edit_manifest(model={"id": "a"}), "its manifest.model lacks dimensions", id="model without name"),
        pytest.param(rename_model("\x1b[2J"), "names that no terminal takes", id="escape"),
        pytest.param(rename_model("\ud800"), "names that no terminal takes", id="surrogate as a name"),
        pytest.param(replace("manifest", lambda _: np.array("{")), "its manifest is no JSON", id="no JSON"),
        pytest.param(replace("manifest", lambda _: np.array(1.0)), "its manifest is no text", id="no text"),
        pytest.param(analysis_text("[1]"), "not what an analysis gives (it should be", id="list as an analysis"),
        pytest.param(analysis_text('{"extractor_version": "2"}'), "(it lacks attributes)", id="no attributes"),
        pytest.param(analysis_text(analysis("2", "{}")), "it.extractor_version should be a text", id="number"),
        pytest.param(analysis_text(analysis('"2"', '{"tempo": NaN}')), "it.attributes should be", id="JSON NaN"),
        pytest.param(analysis_text(analysis('"2"', '{"tempo": 1e999}')), "it.attributes should be", id="1e999"),
        pytest.param(analysis_text(analysis('"2"', '{"tempo": [[1]]}')), "it.attributes should be", id="lists"),
        pytest.param(analysis_text(analysis('"\\ud800"', "{}")), "surrogates not allowed", id="surrogate"),
        pytest.param(analysis_text("[" * 9999), "is not what an analysis gives", id="deep"),
        pytest.param(analysis_text("\xff\xfe"), "is not what an analysis gives", id="bytes"),
    ],
)  # fmt: skip
def test_what_cannot_be_stored_is_one_sentence(tmp_path: Path, change: Callable[[Arrays], None], reason: str) -> None:
    path = export(tmp_path)
    arrays = load(path)
    change(arrays)
    sentence = refusal(save(path, arrays))
    assert reason in sentence
    assert sentence.startswith(f"{path} cannot be imported, and nothing of it was stored: ")


def refusal(path: Path) -> str:
    with pytest.raises(ExchangeError) as caught, open_vectors(path) as vectors:
        vectors.verify()
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


class TestDamage:
    def test_a_file_cut_anywhere_is_refused(self, tmp_path: Path) -> None:
        path = export(tmp_path)
        content = path.read_bytes()
        for size in [*range(0, len(content), 97), len(content) - 1]:
            path.write_bytes(content[:size])
            refusal(path)

    def test_a_byte_changed_anywhere_is_refused_or_changes_nothing(self, tmp_path: Path) -> None:
        path = export(tmp_path)
        import_all(path, tmp_path / "to.db")
        rows = stored_rows(tmp_path / "to.db")
        content = path.read_bytes()
        for number, place in enumerate(range(0, len(content), 61)):
            path.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
            try:
                import_all(path, tmp_path / f"{number}.db")
            except ExchangeError:
                continue
            assert stored_rows(tmp_path / f"{number}.db") == rows  # a date, or padding

    @pytest.mark.parametrize("content", [b"", b"PK", b"no archive", b"PK\x05\x06" + bytes(18)])
    def test_what_is_no_archive_is_refused(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "v.npz"
        path.write_bytes(content)
        refusal(path)

    def test_what_is_compressed_is_refused_with_the_remedy(self, tmp_path: Path) -> None:
        path = export(tmp_path)
        np.savez_compressed(path, **load(path))  # type: ignore[arg-type]  # as above
        assert "write them with numpy.savez" in refusal(path)

    def test_a_file_that_is_no_array_is_refused(self, tmp_path: Path) -> None:
        path = export(tmp_path)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("notes.txt", "hello")
        assert "it holds 'notes.txt', which is no array" in refusal(path)

    def test_a_folder_and_nothing_at_all_are_refused(self, tmp_path: Path) -> None:
        for path, reason in ((tmp_path, "Is a directory"), (tmp_path / "none.npz", "No such file or directory")):
            with pytest.raises(ExchangeError, match=f"cannot be read: {reason}"), open_vectors(path):
                pass

    def test_a_place_that_cannot_be_written_is_one_sentence(self, tmp_path: Path) -> None:
        with Store(tmp_path / "from.db") as store:
            keys = fill(store)
            with pytest.raises(ExchangeError, match="cannot be written: No such file or directory"):
                export_store(store, MODEL, keys, tmp_path / "none" / "v.npz")
            (tmp_path / "v.npz").mkdir()
            with pytest.raises(ExchangeError, match="cannot be written: Is a directory"):
                export_store(store, MODEL, keys, tmp_path / "v.npz")
        assert {each.name for each in tmp_path.iterdir() if "npz" in each.name} == {"v.npz"}
