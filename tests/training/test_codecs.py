"""A lossy codec leaves sound where it was, and leaves less of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.training.augmentation import codecs
from tests.signals import clicks, tones
from tests.training.synthetic_music import RATE, music

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Signal = NDArray[np.float32]


@pytest.fixture(params=codecs.CODECS)
def codec(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name not in codecs.list_codecs():
        pytest.skip(f"PyAV's FFmpeg has no {name}")
    return name


def lag(later: Signal, earlier: Signal) -> int:
    """Samples by which a signal is late."""
    spectrum = np.fft.rfft(later, 2 * len(later)) * np.fft.rfft(earlier, 2 * len(later)).conj()
    place = int(np.fft.irfft(spectrum).argmax())
    return place if place < len(later) else place - 2 * len(later)


# 11025 Hz is a rate that Opus does not know.
@pytest.mark.parametrize("rate", [44100, 11025])
def test_sound_keeps_its_place_and_comes_back_alike(codec: str, rate: int) -> None:
    sound = tones((0, 4, 7), seconds=2.0) + clicks(130, 2.0)
    found = codecs.round_trip(sound, rate, codec, 64_000)
    assert found.shape == sound.shape
    assert found.dtype == np.float32
    assert lag(found, sound) == 0
    assert np.corrcoef(found, sound)[0, 1] > 0.95
    assert np.abs(found - sound).max() > 1e-3


def test_fewer_bits_leave_less(codec: str) -> None:
    hiss = 0.02 * np.random.default_rng(0).standard_normal(len(music()), dtype=np.float32)
    sound = 0.5 * music() + hiss
    lost = [float(np.std(codecs.round_trip(sound, RATE, codec, bits) - sound)) for bits in (64_000, 32_000)]
    assert lost[0] < lost[1] < np.std(sound)


def test_a_round_trip_is_the_same_every_time(codec: str) -> None:
    first, again = (codecs.round_trip(music(), RATE, codec, 48_000) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_silence_stays_silent(codec: str) -> None:
    assert np.abs(codecs.round_trip(np.zeros(44100, np.float32), 44100, codec, 48_000)).max() < 1e-4


def test_what_the_wheel_lacks_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(codecs.CODECS, "mp3", codecs.Codec("no such encoder", "mp3float", 1, {}))
    codecs.list_codecs.cache_clear()
    try:
        assert "mp3" not in codecs.list_codecs()
        assert "aac" in codecs.list_codecs()
    finally:
        codecs.list_codecs.cache_clear()
