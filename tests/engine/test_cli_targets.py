"""`resonance embed` and `index` replace what they wrote themselves, and no other file."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.catalog import STORE
from resonance_engine.cli import main
from resonance_engine.store import Store
from tests.audio_files import tune, write_audio
from tests.engine.exchange.exchanged import load, save

if TYPE_CHECKING:
    from pathlib import Path

RATE = 8000
UNLOADABLE = ("--load", "/no/model")  # whose error would come first if any work was done


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    for seed, name in enumerate(("a.flac", "b.flac")):
        write_audio(folder / name, tune(4, RATE, channels=1, seed=seed), RATE, kind="flac")
    return folder


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestEmbed:
    def refuses(self, capsys: pytest.CaptureFixture[str], music: Path, *arguments: str) -> str:
        """The sentence with which it ends, before it loads a model, with all files as they were."""
        before = contents(music.parent)
        assert main(["embed", *arguments, *UNLOADABLE]) == 1
        assert contents(music.parent) == before
        (line,) = capsys.readouterr().err.splitlines()
        return line

    def test_a_forgotten_name_costs_no_song(self, music: Path, capsys: pytest.CaptureFixture[str]) -> None:
        first, second = str(music / "a.flac"), str(music / "b.flac")
        for arguments in (["--out", first, second], [first, second, "--out", second]):
            target = arguments[arguments.index("--out") + 1]
            assert self.refuses(capsys, music, *arguments) == (
                f"resonance: embed --out takes the name of a file that ends in .npz, not {target!r}."
            )

    @pytest.mark.parametrize("kind", ["copy", "symbolic link", "hard link", "other archive", "small catalog"])
    def test_a_file_of_another_kind_stays(self, music: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
        song, target = music / "a.flac", music / "e.npz"
        if kind == "copy":
            shutil.copy(song, target)
        elif kind == "symbolic link":
            target.symlink_to(song)
        elif kind == "hard link":
            os.link(song, target)
        elif kind == "other archive":
            save(target, {"measurements": np.ones(3)})
        else:
            assert main(["embed", str(song), "--out", str(target)]) == 0
            arrays = load(target)
            save(target, {name: arrays[name] for name in ("manifest", "paths", "embeddings")})
        assert self.refuses(capsys, music, str(song), "--out", str(target)) == (
            f"resonance: embed --out: {target} is there already and is no file of vectors that `resonance embed` or "
            "`beet resonance vectors export` wrote; name another file, or delete it first."
        )

    def test_an_earlier_one_is_replaced_and_a_shipped_model_goes_by_its_name(
        self, music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        target = tmp_path / "e.npz"
        models = []
        for name in ("default", "default-int8"):
            assert main(["embed", str(music / "a.flac"), "--load", name, "--out", str(target)]) == 0
            assert capsys.readouterr().out == f"1 embedding in {target}, 0 failed\n"
            models.append(json.loads(str(load(target)["manifest"]))["model"]["id"])
        assert len({*models}) == 2


class TestIndex:
    def refuses(self, capsys: pytest.CaptureFixture[str], music: Path, folder: Path) -> str:
        before = contents(folder)
        assert main(["index", str(music), "--out", str(folder), *UNLOADABLE]) == 1
        assert {path: content for path, content in contents(folder).items() if path in before} == before
        (line,) = capsys.readouterr().err.splitlines()
        return line

    @pytest.mark.parametrize("name", ["meta.json", "index.faiss", "embeddings.npy"])
    @pytest.mark.parametrize("content", [b'{"format": 1}', b"other"])
    def test_files_of_other_programs_stay(
        self, music: Path, tmp_path: Path, name: str, content: bytes, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "other"
        folder.mkdir()
        (folder / name).write_bytes(content)
        assert self.refuses(capsys, music, folder) == (
            f"resonance: {folder / name} is there already and is of no catalog; name another folder with --out."
        )
        assert [each.name for each in folder.iterdir()] == [name]

    def test_the_sidecar_of_a_library_of_beets_is_no_catalog(
        self, music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "beets"
        folder.mkdir()
        with closing(Store(folder / STORE)) as store:
            store.libraries.get_or_create("library.db")
        assert self.refuses(capsys, music, folder) == (
            f"resonance: {folder / STORE} is the data of a library of beets; name another folder with --out."
        )

    def test_a_missing_store_of_a_catalog_is_rebuilt(
        self, music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "catalog"
        index = ["index", str(music), "--out", str(folder), "--threads", "1"]
        assert main(index) == 0
        (folder / STORE).unlink()
        (music / "b.flac").unlink()
        assert main(index) == 0
        assert capsys.readouterr().out.splitlines()[-1] == f"1 track in {folder}, 1 of them new, 0 failed"
        write_audio(music / "c.flac", tune(4, RATE, channels=1, seed=9), RATE, kind="flac")
        (music / "a.flac").unlink()
        assert main(index) == 0
        assert capsys.readouterr().out.splitlines() == [
            f"1 track in {folder}, 1 of them new, 0 failed",
            f"1 that it had is not in {music}, and was dropped from it",
        ]
