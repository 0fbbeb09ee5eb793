"""A worker embeds all of a file in dense windows, each as an analysis embeds it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.encoder.encoder import Encoder
from resonance_engine.errors import AudioError
from resonance_engine.worker.worker import Worker, WorkerPool
from tests.audio_files import tune, write_audio
from tests.tiny_models import MANIFEST, onnx_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx_model())
    return path


def test_dense_windows_are_embedded_and_silence_is_zero(model: Path, tmp_path: Path) -> None:
    samples = np.asarray(tune(4.1, 8000, channels=1, seed=5), np.float32).copy()
    samples.reshape(-1)[16000:25000] = 0.0
    path = write_audio(tmp_path / "tune.flac", samples, 8000, kind="flac")
    with closing(Worker(model)) as worker:
        found = worker.embed_dense(path)
        assert found.key == worker.identify(path)
        assert worker.embed_dense(path, lambda key: key == found.key).windows is None
    windows = found.windows
    assert windows is not None
    assert (windows.hop, windows.length, windows.vectors.shape) == (0.5, 1.0, (7, MANIFEST.dimensions))
    np.testing.assert_array_equal(windows.vectors[4], 0)
    np.testing.assert_allclose(np.linalg.norm(np.delete(windows.vectors, 4, 0), axis=1), 1, atol=1e-3)
    part = samples.reshape(-1)[12000:20000]
    np.testing.assert_allclose(windows.vectors[3], Encoder(model).embed_windows([part])[0], atol=1e-2)


def test_a_file_that_fails_costs_no_other(model: Path, tmp_path: Path) -> None:
    paths = [
        write_audio(tmp_path / f"{seconds}.flac", tune(seconds, 8000, channels=1, seed=5), 8000, kind="flac")
        for seconds in (0.5, 2.0)
    ]
    with closing(WorkerPool(model, 1)) as pool:
        found = dict(filter(None, pool.embed_dense([*paths, tmp_path / "none.flac"])))
    short, none, whole = found[paths[0]], found[tmp_path / "none.flac"], found[paths[1]]
    assert isinstance(short, AudioError)
    assert short.reason == "it is shorter than 1 s, the length of a window"
    assert isinstance(none, AudioError)
    assert not isinstance(whole, AudioError)
    assert whole.windows is not None
    assert len(whole.windows.vectors) == 3
