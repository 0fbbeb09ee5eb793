"""`resonance index | query | embed` on real files, with the shipped model in a real worker."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from typing import TYPE_CHECKING

import faiss
import numpy as np
import pytest

from resonance_engine.audio.content_key import content_key
from resonance_engine.catalog import IDS_KEY, STORE, open_catalog_store
from resonance_engine.catalog_files import read_catalog
from resonance_engine.cli import main
from resonance_engine.errors import CatalogError
from resonance_engine.exchange.reader import open_vectors
from resonance_engine.store import Store
from tests.audio_files import write_audio
from tests.raw_sql import change_rows

if TYPE_CHECKING:
    from pathlib import Path

RATE = 22050
SECONDS = 4


def sound(seed: int) -> np.ndarray:
    """A few seconds of two tones and a little noise, other ones for each seed."""
    rng = np.random.default_rng(seed)
    time = np.arange(SECONDS * RATE) / RATE
    tones = sum(np.sin(2 * np.pi * hz * time) for hz in rng.uniform(100, 2000, 2))
    return (0.2 * tones + 0.02 * rng.standard_normal(len(time))).astype(np.float32)


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four tracks, one of them untagged with a name that is not UTF-8, beside a broken file and a text file."""
    folder = tmp_path_factory.mktemp("music")
    for seed in range(3):
        tags = {"artist": f"Artist {seed}", "title": f"Song {seed}"}
        write_audio(folder / f"{seed}.flac", sound(seed), RATE, metadata=tags)
    write_audio(folder / os.fsdecode(b"caf\xe9.wav"), sound(3), RATE)
    (folder / "broken.mp3").write_bytes(b"not music at all")
    (folder / "notes.txt").write_text("not music either")
    return folder


@pytest.fixture(scope="module")
def catalog(music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalog")
    assert main(["index", str(music), "--out", str(folder), "--threads", "1"]) == 0
    return folder


def test_a_catalog_holds_every_track_once_in_three_files_that_agree(catalog: Path) -> None:
    meta = json.loads((catalog / "meta.json").read_bytes())
    names = [os.fsencode(track["path"]).rpartition(b"/")[2] for track in meta["tracks"]]
    assert sorted(names) == [b"0.flac", b"1.flac", b"2.flac", b"caf\xe9.wav"]
    matrix = np.load(catalog / "embeddings.npy")
    index = faiss.read_index(str(catalog / "index.faiss"))
    assert matrix.shape == (4, 512)
    np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-3)
    _, nearest = index.search(matrix, 1)
    assert nearest[:, 0].tolist() == [track["id"] for track in meta["tracks"]]


def test_a_query_prints_the_same_sound_first(music: Path, catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "--audio", str(music / "1.flac"), "--index-dir", str(catalog), "--topk", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Top results:", "1. Artist 1 - Song 1  score=1.000"]
    assert [line[:2] for line in lines if not line.startswith("   [Similar: ")] == ["To", "1.", "2."]


def test_under_a_track_stands_what_was_measured_of_both(music: Path, catalog: Path, tmp_path: Path) -> None:
    """The same file has all of its words in common with itself; a catalog of before has no words."""
    meta = json.loads((catalog / "meta.json").read_bytes())
    (same,) = (track for track in meta["tracks"] if track["title"] == "Song 1")
    words = [same["attributes"]["key"], *(["loud"] if same["attributes"]["energy"] > -14 else [])]
    out = shown(music / "1.flac", catalog)
    assert all(word in out[2] for word in words)
    older = tmp_path / "older"
    shutil.copytree(catalog, older)
    tracks = [{name: value for name, value in track.items() if name != "attributes"} for track in meta["tracks"]]
    (older / "meta.json").write_text(json.dumps({**meta, "tracks": tracks}))
    assert shown(music / "1.flac", older) == [line for line in out if "[" not in line]


def shown(audio: Path, catalog: Path) -> list[str]:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main(["query", "--audio", str(audio), "--index-dir", str(catalog), "--topk", "1"]) == 0
    return out.getvalue().splitlines()


def test_a_query_takes_feedback_and_diversity(music: Path, catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--prf", "2", "--rerank", "mmr", "--lambda_div", "0.5", "--backend", "auto"]
    assert main(["query", "--audio", str(music / "0.flac"), "--index_dir", str(catalog), *options]) == 0
    assert sum("score=" in line for line in capsys.readouterr().out.splitlines()) == 4


@pytest.mark.rest
@pytest.mark.torch
def test_the_shipped_weights_answer_like_the_exported_model(
    music: Path, catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    answers = []
    for backend in ("onnx", "torch"):
        assert main(["query", "--audio", str(music / "1.flac"), "--index-dir", str(catalog), "--backend", backend]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]


def test_embeddings_come_in_the_order_of_the_files_that_could_be_read(
    music: Path, catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(music / name) for name in ("2.flac", "broken.mp3", "0.flac")]
    assert main(["embed", *paths, "--out", str(tmp_path / "e.npz")]) == 0
    assert "broken.mp3" in capsys.readouterr().err
    with np.load(tmp_path / "e.npz", allow_pickle=False) as file:
        assert file["paths"].tolist() == [paths[0], paths[2]]
        assert (file["embeddings"].shape, file["embeddings"].dtype) == ((2, 512), np.float32)
        known = read_catalog(catalog)
        by_title = {entry.title: entry.id for entry in known.entries.values()}
        expected = known.index.vectors([by_title["Song 2"], by_title["Song 0"]])
        np.testing.assert_allclose(file["embeddings"], expected, atol=2e-3)
    with open_vectors(tmp_path / "e.npz") as vectors:
        vectors.verify()
        assert vectors.rows == {content_key(music / "2.flac"): 0, content_key(music / "0.flac"): 1}


def test_where_nothing_can_be_embedded_the_file_of_before_stays(
    music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "e.npz"
    assert main(["embed", str(music / "0.flac"), "--out", str(target)]) == 0
    before = target.read_bytes()
    assert main(["embed", str(music / "broken.mp3"), "--out", str(target)]) == 1
    assert "Nothing could be embedded" in capsys.readouterr().err
    assert target.read_bytes() == before


def test_indexing_again_does_only_what_is_new_and_keeps_the_ids(
    music: Path, catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, copy = tmp_path / "music", tmp_path / "catalog"
    shutil.copytree(music, folder)
    shutil.copytree(catalog, copy)
    meta = json.loads((copy / "meta.json").read_bytes())
    for track in meta["tracks"]:
        track["path"] = track["path"].replace(str(music), str(folder))
    with Store(copy / STORE) as store:  # the folder was moved, the catalog with it
        ids = store.state.get(IDS_KEY)
        store.state.set(IDS_KEY, {path.replace(str(music), str(folder)): item_id for path, item_id in ids.items()})
    (folder / "1.flac").unlink()
    write_audio(folder / "new.flac", sound(9), RATE)
    assert main(["index", str(folder), "--out", str(copy), "--threads", "1"]) == 0
    assert "4 tracks" in capsys.readouterr().out
    before = {track["path"]: track["id"] for track in meta["tracks"]}
    after = {entry.path: entry.id for entry in read_catalog(copy).entries.values()}
    assert set(after) == (set(before) - {str(folder / "1.flac")}) | {str(folder / "new.flac")}
    assert all(after[path] == before[path] for path in set(after) & set(before))


@pytest.mark.parametrize("content", [None, b"", b"garbage"], ids=["missing", "empty", "garbage"])
def test_where_faiss_cannot_read_the_embeddings_serve(catalog: Path, tmp_path: Path, content: bytes | None) -> None:
    copy = tmp_path / "catalog"
    shutil.copytree(catalog, copy)
    (copy / "index.faiss").unlink()
    if content is not None:
        (copy / "index.faiss").write_bytes(content)
    whole, part = read_catalog(catalog).index, read_catalog(copy).index
    query = np.load(catalog / "embeddings.npy")[:1]
    np.testing.assert_array_equal(whole.nearest(query, 4)[1], part.nearest(query, 4)[1])


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("meta.json", b"{", "damaged"),
        ("meta.json", b'{"format": 9}', "has format 9"),
        ("meta.json", None, "is no catalog"),
    ],
)
def test_a_damaged_catalog_says_what_to_do(
    catalog: Path, tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    copy = tmp_path / "catalog"
    shutil.copytree(catalog, copy)
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_bytes(content)
    with pytest.raises(CatalogError, match=rf"{sentence}.*resonance index"):
        read_catalog(copy)


@pytest.mark.parametrize("damage", ["header", "page", "vector"])
def test_of_a_damaged_store_it_says_what_a_catalog_needs(
    music: Path, catalog: Path, tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "catalog"
    shutil.copytree(catalog, copy)
    store = copy / STORE
    if damage == "vector":
        change_rows(store, "UPDATE vector SET data = x'00'")
    else:
        content = store.read_bytes()
        store.write_bytes(b"x" * 4096 + content[4096:] if damage == "header" else content[:16384] + b"x" * 200_000)
    index = ["index", str(music), "--out", str(copy), "--threads", "1"]
    assert main(index) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "resonance.db" in line]
    assert f"{store} is damaged; delete it and run `resonance index` again" in line
    assert "beet" not in line
    store.unlink()
    assert main(index) == 0


def test_a_catalog_is_written_by_one_process_at_a_time(
    music: Path, catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "catalog"
    shutil.copytree(catalog, copy)
    index = ["index", str(music), "--out", str(copy), "--threads", "1"]
    with open_catalog_store(copy):
        assert main(index) == 1
        assert f"Another `resonance index` is writing {copy}; wait for it." in capsys.readouterr().err
        assert main(["query", "--audio", str(music / "0.flac"), "--index-dir", str(copy)]) == 0, "readers are let in"
    assert main(index) == 0


def test_files_of_two_catalogs_are_not_mixed_up(catalog: Path, tmp_path: Path) -> None:
    copy = tmp_path / "catalog"
    shutil.copytree(catalog, copy)
    meta = json.loads((copy / "meta.json").read_bytes())
    (copy / "meta.json").write_text(json.dumps({**meta, "tracks": meta["tracks"][1:]}))
    with pytest.raises(CatalogError, match="do not belong together"):
        read_catalog(copy)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["index", "/nowhere", "--out", "{tmp}/c"], "/nowhere is not a folder"),
        (["index", "{tmp}", "--out", "{tmp}/c"], "holds no audio files"),
        (["query", "--audio", "x.mp3", "--index-dir", "{tmp}"], "is no catalog"),
        (["query", "--audio", "x.mp3", "--index-dir", "{catalog}"], "there is no such file"),
        (["query", "--audio", "x.mp3", "--index-dir", "{catalog}", "--lambda-div", "2"], "lambda_div must lie"),
        (["query", "--audio", "x.mp3", "--index-dir", "{catalog}", "--load", "/no/model"], "no model at /no/model"),
        (["embed", "/nowhere.mp3", "--out", "{tmp}/e.npz"], "there is no such file"),
        (["embed", "{music}/0.flac", "--out", "{tmp}/no/e.npz"], "embed --out: there is no folder {tmp}/no."),
        (["embed", "{music}/0.flac", "--out", "/proc/e.npz"], "/proc/e.npz cannot be written: "),
        (["embed", "{music}/0.flac", "--load", "default-int9", "--out", "{tmp}/e.npz"], "did you mean default-int8?"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_status_1(
    music: Path, catalog: Path, tmp_path: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [each.format(tmp=tmp_path, catalog=catalog, music=music) for each in arguments]
    assert main(filled) == 1
    assert sentence.format(tmp=tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "resonance: the following arguments are required: VERB; `resonance --help` lists the options"),
        (
            ["embed", "a", "--out", "b", "--nope"],
            "resonance: unrecognized arguments: --nope; `resonance --help` lists the options",
        ),
        (
            ["query", "--audoi", "x"],
            "resonance query: the following arguments are required: --audio, --index-dir; "
            "`resonance query --help` lists the options",
        ),
    ],
)
def test_a_mistake_in_the_options_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"{sentence}\n"
