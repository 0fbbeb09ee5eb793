"""torchaudio changes the audio where it imports, scipy where it does not, and both do the same."""

from __future__ import annotations

import logging
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.training.augmentation import audio_augment
from resonance_engine.training.augmentation.audio_augment import audio_views
from resonance_engine.training.config.settings import AudioAugment
from tests.training.synthetic_music import features_of, music

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _uncached() -> Iterator[None]:
    audio_augment.engine.cache_clear()
    yield
    audio_augment.engine.cache_clear()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a torchaudio would be imported from."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path / "torchaudio.py"
    sys.modules.pop("torchaudio", None)


@pytest.mark.parametrize(
    ("content", "chosen", "said"),
    [
        ("", "torchaudio", "Audio is augmented with torchaudio."),
        ("raise ImportError('No module named torch')", "scipy", "No module named torch"),
        ("raise OSError('libc10_cuda.so: cannot open\\nsecond line')", "scipy", "libc10_cuda.so: cannot open"),
        ("raise RuntimeError('built for another CUDA')", "scipy", "built for another CUDA"),
    ],
)
def test_torchaudio_serves_where_it_imports(
    installed: Path, caplog: pytest.LogCaptureFixture, content: str, chosen: str, said: str
) -> None:
    installed.write_text(content)
    with caplog.at_level(logging.INFO):
        assert [audio_augment.engine() for _ in range(3)] == [chosen] * 3
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.endswith(said)


# torchaudio's transforms are Python; only its extension may fail to load, so a process may go without it.
WITHOUT_EXTENSION = """
import sys, types
extension = types.ModuleType("torchaudio._extension")
extension._IS_TORCHAUDIO_EXT_AVAILABLE = extension._IS_ALIGN_AVAILABLE = False
extension.fail_if_no_align = lambda function: function
sys.modules["torchaudio._extension"] = extension
"""
VIEWS = """
import numpy as np
from resonance_engine.training.augmentation.audio_augment import audio_views, engine
from resonance_engine.training.config.settings import AudioAugment
assert engine() == "torchaudio"
given, found = sys.argv[1:]
windows = np.load(given, allow_pickle=False)
views = list(audio_views(windows, 22050, AudioAugment(views=3, codec=0.0), b"song", engine()))
assert all(view.dtype == np.float32 for view in views)
np.save(found, np.stack(views), allow_pickle=False)
"""


@pytest.mark.torch
def test_torchaudio_and_scipy_give_the_same_views(tmp_path: Path) -> None:
    if find_spec("torchaudio") is None or find_spec("torch") is None:
        pytest.skip("needs the training extra")
    windows = np.stack([music(), music(seed=1)])
    np.save(tmp_path / "given.npy", windows, allow_pickle=False)
    arguments = [str(tmp_path / name) for name in ("given.npy", "found.npy")]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTENSION + VIEWS, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "found.npy", allow_pickle=False)
    expected = np.stack(list(audio_views(windows, 22050, AudioAugment(views=3, codec=0.0), b"song", "scipy")))
    assert found.shape == expected.shape
    # Not the samples: a frame's place rounded to another one turns all phases behind it.
    for of_torchaudio, of_scipy in zip(found, expected, strict=True):
        one, other, neither = (features_of(*each)["timbre"] for each in (of_torchaudio, of_scipy, windows))
        assert np.abs(one - other).mean() < 0.5 < 3 < np.abs(one - neither).mean()
