"""Nothing from elsewhere is ever run: tried with files that were made to do harm."""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.catalog_files import EMBEDDINGS, INDEX, CatalogEntry, read_catalog, write_catalog
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.errors import CacheError, CatalogError, ModelError, ResonanceError, TrainingError
from resonance_engine.index.files import load_index
from tests.tiny_models import SPEC, features

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def payload(target: Path) -> bytes:
    """A pickle that makes a file when it is loaded, written by hand: the module must not be imported even here."""
    return f"cposix\nsystem\n(S'touch \"{target}\"'\ntR.".encode()


def archive(target: Path, folder: Path) -> bytes:
    """What torch.save writes: a zip archive with a pickle in it."""
    path = folder / "archive.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("archive/data.pkl", payload(target))
        made.writestr("archive/version", "3\n")
    return path.read_bytes()


def array(target: Path) -> bytes:
    """An array of objects, as numpy would unpickle it if it were allowed to."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (1, 4)})
    return header.getvalue() + payload(target)


@pytest.fixture
def planted(tmp_path: Path) -> Iterator[Path]:
    """A file that is not there before, and must not be there after what is tried."""
    target = tmp_path / "planted"
    yield target
    assert not target.exists()


def test_the_payload_does_its_work(tmp_path: Path) -> None:
    """Opened in an interpreter of its own by what nothing here uses."""
    (tmp_path / "first").write_bytes(payload(tmp_path / "planted"))
    (tmp_path / "second").write_bytes(array(tmp_path / "planted too"))
    for number, load in enumerate(("pickle.load(file)", "numpy.load(file, allow_pickle=True)")):
        program = f"import numpy, pickle\nwith open({['first', 'second'][number]!r}, 'rb') as file: {load}"
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False, capture_output=True)
    assert (tmp_path / "planted").exists()
    assert (tmp_path / "planted too").exists()


def catalog(folder: Path) -> Path:
    write_catalog(folder, [CatalogEntry(1, "/m/a.flac", "Can", "A")], np.eye(1, 4, dtype=np.float32), {"id": "0" * 16})
    return folder


@pytest.mark.parametrize("name", [EMBEDDINGS, "meta.json", INDEX])
def test_a_pickle_in_a_catalog_is_not_loaded(tmp_path: Path, planted: Path, name: str) -> None:
    folder = catalog(tmp_path)
    if name != "meta.json":
        (folder / INDEX).unlink()
        (folder / EMBEDDINGS).write_bytes(array(planted))
    (folder / name).write_bytes(array(planted) if name == EMBEDDINGS else payload(planted))
    with pytest.raises(CatalogError, match="resonance index"):
        read_catalog(folder)


def test_a_pickle_as_an_index_is_not_loaded(tmp_path: Path, planted: Path) -> None:
    (tmp_path / "x.index").write_bytes(payload(planted))
    assert load_index(tmp_path / "x.index", "0" * 16) is None


@pytest.mark.parametrize("made", [payload, array])
def test_a_pickle_as_a_model_is_not_loaded(tmp_path: Path, planted: Path, made: Callable[[Path], bytes]) -> None:
    (tmp_path / "model.onnx").write_bytes(made(planted))
    with pytest.raises(ModelError, match="is not a model"):
        Encoder(tmp_path / "model.onnx")


@pytest.mark.torch
@pytest.mark.parametrize("name", ["ckpt.pt", "model.safetensors"])
def test_a_pickle_as_weights_is_not_loaded(tmp_path: Path, planted: Path, name: str) -> None:
    pytest.importorskip("torch")
    for content in (archive(planted, tmp_path), payload(planted), b"\x80\x02" + payload(planted)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError) as caught:
            Encoder(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.torch
def test_a_pickle_as_the_state_of_a_training_is_not_loaded(tmp_path: Path, planted: Path) -> None:
    """It has the optimiser's moments in it."""
    pytest.importorskip("torch")
    from resonance_engine.training.config.settings import TrainSettings
    from resonance_engine.training.learning.checkpoint import resume
    from resonance_engine.training.learning.device import Precision, World
    from resonance_engine.training.learning.steps import OptimizerSteps
    from tests.tiny_networks import tiny_network

    steps = OptimizerSteps(tiny_network(), TrainSettings(), Precision("cpu"), World())
    for content in (archive(planted, tmp_path), payload(planted)):
        (tmp_path / "state.safetensors").write_bytes(content)
        with pytest.raises(TrainingError, match="is not a readable state"):
            resume(tmp_path / "state.safetensors", steps, {})


@pytest.mark.torch
def test_a_pickle_as_a_feature_cache_is_not_loaded(tmp_path: Path, planted: Path) -> None:
    pytest.importorskip("torch")
    from resonance_engine.training.data.cache import SqliteCache

    cache = SqliteCache(tmp_path, SPEC)
    path = cache.path
    cache.put(b"1" * 16, features(1))
    cache.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE windows SET data = ?", (payload(planted),))
    database.close()
    reopened = SqliteCache(tmp_path, SPEC)
    with pytest.raises(CacheError, match="is damaged"):
        reopened.read(b"1" * 16)
    reopened.close()
    for leftover in path.parent.glob(f"{path.name}*"):
        leftover.unlink()
    path.write_bytes(payload(planted))
    with pytest.raises(CacheError, match="is damaged"):
        SqliteCache(tmp_path, SPEC)


@pytest.mark.torch
def test_a_pickle_as_a_search_for_settings_is_not_loaded(tmp_path: Path, planted: Path) -> None:
    pytest.importorskip("optuna")
    from resonance_engine.training.tuning.study import open_study

    (tmp_path / "journal.log").write_bytes(payload(planted))
    (tmp_path / "study.db").write_bytes(payload(planted))
    for storage in (tmp_path / "journal.log", f"sqlite:///{tmp_path / 'study.db'}"):
        with pytest.raises(ResonanceError) as caught:
            open_study(storage, "study", "max", 0, 3)
        assert "\n" not in str(caught.value)
