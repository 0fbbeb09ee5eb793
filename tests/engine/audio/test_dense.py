"""Dense windows cover a whole recording at equal distances, decoded once, a window at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.audio.dense import cut_windows, read_dense_windows
from resonance_engine.audio.noise_reduction import reduce_noise
from resonance_engine.errors import AudioError
from resonance_engine.features.spec import Decoding
from tests.audio_files import tune, write_audio

if TYPE_CHECKING:
    from pathlib import Path

DECODING = Decoding(rate=8000, seconds=2.0, hop_seconds=0.5)


@given(
    sizes=st.lists(st.integers(0, 30), max_size=20),
    length=st.integers(1, 20),
    hop=st.floats(0.6, 40.0),
)
def test_windows_are_slices_of_the_whole_however_it_comes_in_chunks(sizes: list[int], length: int, hop: float) -> None:
    whole = np.arange(sum(sizes), dtype=np.float32)
    chunks = np.split(whole, np.cumsum(sizes)[:-1]) if sizes else []
    expected, start = [], 0
    while start + length <= len(whole):
        expected.append(whole[start : start + length].tolist())
        start = round(len(expected) * hop)
    assert [window.tolist() for window in cut_windows(chunks, length, hop)] == expected


@pytest.mark.parametrize("rate", [8000, 22050])
def test_windows_begin_at_each_hop_of_a_file(tmp_path: Path, rate: int) -> None:
    samples = tune(5.2, rate, channels=1, seed=3)
    path = write_audio(tmp_path / "tune.flac", samples, rate, kind="flac")
    windows = list(read_dense_windows(path, DECODING))
    assert len(windows) == 7  # at 0, 0.5 ... 3 s
    mono = np.asarray(samples, np.float32).reshape(-1)
    for number, window in enumerate(windows):
        assert window is not None
        assert (window.shape, window.dtype) == ((16000,), np.float32)
        if rate == 8000:
            part = reduce_noise(mono[4000 * number : 4000 * number + 16000], rate)
            np.testing.assert_allclose(window, part, atol=1e-3)


def test_a_silent_window_is_none_and_keeps_its_place(tmp_path: Path) -> None:
    samples = np.asarray(tune(6.0, 8000, channels=1, seed=3), np.float32).copy()
    samples.reshape(-1)[16000:36000] = 0.0
    path = write_audio(tmp_path / "gap.flac", samples, 8000, kind="flac")
    windows = list(read_dense_windows(path, DECODING))
    assert [number for number, window in enumerate(windows) if window is None] == [4, 5]
    assert len(windows) == 9


def test_too_short_a_file_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "short.flac", tune(1.5, 8000, channels=1, seed=3), 8000, kind="flac")
    with pytest.raises(AudioError, match=r"it is shorter than 2 s, the length of a window"):
        list(read_dense_windows(path, DECODING))
    with pytest.raises(AudioError, match="there is no such file"):
        list(read_dense_windows(tmp_path / "none.flac", DECODING))
