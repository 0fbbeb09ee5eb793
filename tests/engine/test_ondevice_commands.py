"""`python -m resonance_engine.ondevice`: its lines, its errors, and those of `resonance` in the same environment."""

from __future__ import annotations

import os
import subprocess
import tomllib
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from packaging.requirements import Requirement

from resonance_engine.catalog_files import CatalogEntry, write_catalog
from resonance_engine.errors import PACKAGES
from resonance_engine.exchange.reader import is_vector_file
from resonance_engine.ondevice import BufferEmbedder, main
from tests.audio_files import tune, write_audio
from tests.embeddings import unit_vectors
from tests.engine.exchange.exchanged import export
from tests.engine.test_ondevice import own_packages
from tests.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

RATE = 16_000
REMEDY = (
    "which is not installed: `pip install .` in a checkout of Resonance brings it; with numpy, scipy and onnxruntime "
    "alone, `python -m resonance_engine.ondevice` embeds and searches WAV files."
)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_audio(tmp_path / "song.wav", tune(5, RATE, channels=1, seed=1), RATE)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with numpy, scipy, onnxruntime and this package alone."""
    folder = tmp_path_factory.mktemp("device")
    venv.create(folder, with_pip=False, symlinks=True)
    site = next((folder / "lib").glob("python*")) / "site-packages"
    installed = Path(np.__file__).parents[1]
    names = {*own_packages(), *(each.name for each in installed.glob("*.libs"))}
    for name in names:
        (site / name).symlink_to(installed / name)
    (site / "resonance_engine").symlink_to(ROOT / "resonance_engine")
    return folder / "bin" / "python"


def test_files_without_audio_are_listed_in_lines(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, short, deep = (tmp_path / name for name in ("text.wav", "short.wav", "deep.wav"))
    text.write_text("no music")
    write_audio(short, tune(1, RATE, channels=1, seed=1), RATE)
    write_audio(deep, tune(5, RATE, channels=1, seed=1), RATE, kind="wav24")
    wrong = [text, short, deep, tmp_path / "none.wav"]
    target = tmp_path / "small.npz"
    assert main(["embed", *map(str, wrong), str(song), "--out", str(target)]) == 0
    out, err = capsys.readouterr()
    assert out == f"1 track in {target}, 4 failed\n"
    assert [line.split(": ", 2)[2][:30] for line in err.splitlines()] == [
        "it is no WAV file of 16 bits o",
        "1.00 s of samples came; at lea",
        "it is no WAV file of 16 bits o",
        "it cannot be opened (No such f",
    ]
    assert main(["embed", *map(str, wrong), "--out", str(tmp_path / "other.npz")]) == 1
    assert not (tmp_path / "other.npz").exists()


def test_a_shipped_model_goes_by_its_name(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, other = str(tmp_path / "small.npz"), ["--model", "default-int8"]
    assert main(["embed", str(song), "--out", target, *other]) == 0
    assert main(["query", str(song), "--catalog", target]) == 1
    assert "The catalog was made with the model" in capsys.readouterr().err
    assert main(["query", str(song), "--catalog", target, *other]) == 0
    assert capsys.readouterr().out == "1.000  song\n"


class TestTarget:
    def refuses(self, capsys: pytest.CaptureFixture[str], song: Path, target: Path) -> str:
        """The sentence with which it ends before it loads a model, with the target as it was."""
        before = target.read_bytes()
        assert main(["embed", str(song), "--out", str(target), "--model", "/no/model"]) == 1
        assert target.read_bytes() == before
        (line,) = capsys.readouterr().err.splitlines()
        return line

    def test_a_forgotten_name_costs_no_song(self, song: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.refuses(capsys, song, song) == (
            f"resonance: embed --out takes the name of a file that ends in .npz, not {str(song)!r}."
        )

    @pytest.mark.parametrize("make", [export, lambda folder: write_audio(folder / "a.npz", tune(1, RATE), RATE, "wav")])
    def test_a_file_of_another_kind_stays(
        self, song: Path, tmp_path: Path, make: Callable[[Path], Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        target = make(tmp_path)
        assert self.refuses(capsys, song, target) == (
            f"resonance: embed --out: {target} is there already and is no catalog that this command wrote; name "
            "another file, or delete it first."
        )

    def test_an_earlier_catalog_is_replaced(self, song: Path, tmp_path: Path) -> None:
        target = tmp_path / "small.npz"
        for files in ([song, song], [song]):
            assert main(["embed", *map(str, files), "--out", str(target)]) == 0
            assert is_vector_file(target, with_keys=False)
            assert not is_vector_file(target)
            with np.load(target) as file:
                assert file["paths"].tolist() == [str(each) for each in files]


class TestCatalog:
    def refuses(self, capsys: pytest.CaptureFixture[str], song: Path, catalog: Path | str) -> str:
        assert main(["query", str(song), "--catalog", str(catalog)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        return line

    def test_an_export_of_a_library_is_named_as_such(
        self, song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = export(tmp_path)
        assert self.refuses(capsys, song, path) == (
            f"resonance: {path} cannot be searched: it is a file of vectors without paths, as `beet resonance vectors "
            "export` writes; `resonance embed` and `python -m resonance_engine.ondevice embed` write catalogs."
        )

    def test_a_pipe_is_refused(self, song: Path, capsys: pytest.CaptureFixture[str]) -> None:
        reader, writer = os.pipe()
        with os.fdopen(reader), os.fdopen(writer):
            assert "it is a pipe or a device, and a file is needed" in self.refuses(capsys, song, f"/dev/fd/{reader}")


class TestOtherCommands:
    """Where packages are missing, `resonance` names what it lacks."""

    def run(self, python: Path, *arguments: Path | str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [python, "-m", "resonance_engine.cli", *map(str, arguments)],
            cwd=python.parent, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr

    @pytest.mark.parametrize("verb", ["index", "embed", "query"])
    def test_missing_packages_are_one_sentence(self, python: Path, song: Path, tmp_path: Path, verb: str) -> None:
        catalog = tmp_path / "catalog"
        catalog.mkdir()
        if verb == "query":
            model = BufferEmbedder().model
            vectors = unit_vectors(1, model.dimensions).astype(np.float32)
            write_catalog(catalog, [CatalogEntry(1, "a.wav", "", "A")], vectors, {"id": model.id})
        arguments = {
            "index": (tmp_path, "--out", catalog),
            "embed": (song, "--out", tmp_path / "e.npz"),
            "query": ("--audio", song, "--index-dir", catalog),
        }
        assert self.run(python, verb, *arguments[verb]) == f"resonance: This needs the package av, {REMEDY}\n"

    def test_all_packages_are_those_of_the_project(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        names = {Requirement(each).name for each in project["dependencies"]}
        assert {"faiss" if name == "faiss-cpu" else name for name in names} - {"beets"} == {*PACKAGES}
