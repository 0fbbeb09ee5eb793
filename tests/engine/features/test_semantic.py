"""The modality with a rate of its own: the sound at 16 kHz, as musicnn heard what it learned from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from resonance_engine.features.front_end import FrontEnd, resample
from resonance_engine.features.resampling import resample_by_soxr
from resonance_engine.features.spec import Decoding, FeatureSpec, Framing, SemanticSpec, TimbreSpec
from tests.signals import RATE, chirp, clicks, hiss, tones

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.signals import Signal

SECONDS = 4.0
DECODING = Decoding(seconds=SECONDS)
SPEC = FeatureSpec(DECODING, semantic=SemanticSpec())
MUSIC = clicks(126, SECONDS) + tones((0, 4, 7), SECONDS) + chirp(SECONDS) + hiss(SECONDS, 0.001)


def alone(decoding: Decoding = DECODING) -> FrontEnd:
    return FrontEnd(FeatureSpec(decoding, timbre=None, harmony=None, rhythm=None, semantic=SemanticSpec()))


def heard(signal: Signal) -> NDArray[np.float32]:
    semantic: NDArray[np.float32] = alone()(signal[np.newaxis])["semantic"][0]
    return semantic


def as_musicnn(power: NDArray[np.floating]) -> NDArray[np.float32]:
    taken: NDArray[np.float32] = np.log10(10000 * power + 1)
    return taken


def test_it_is_off_unless_asked_for() -> None:
    assert FeatureSpec().semantic is None
    assert "semantic" not in FeatureSpec().to_json()


def test_a_window_of_18_seconds_has_1125_frames_of_16_ms() -> None:
    spec = FeatureSpec(semantic=SemanticSpec())
    assert list(spec.modalities) == ["timbre", "harmony", "rhythm", "semantic"]
    assert spec.modalities["semantic"].shape(spec.decoding) == (96, 1125)
    assert json.loads(spec.to_json())["modalities"]["semantic"] == {
        "framing": {"hop": 256, "n_fft": 512, "n_mels": 96, "rate": 16000}
    }


def test_a_sound_without_the_frequencies_is_refused() -> None:
    with pytest.raises(ValueError, match=r"semantic: framing.rate must be at most the decoding's, 11025, not 16000"):
        alone(Decoding(rate=11025))


def test_the_other_modalities_stay_what_they_are() -> None:
    windows = np.stack([MUSIC, hiss(SECONDS)])
    usual, wider = FrontEnd(FeatureSpec(DECODING))(windows), FrontEnd(SPEC)(windows)
    assert wider.keys() - usual.keys() == {"semantic"}
    for name, values in usual.items():
        np.testing.assert_array_equal(wider[name], values)


def test_a_window_is_heard_alike_alone_and_among_others() -> None:
    windows = [MUSIC, hiss(SECONDS), clicks(120, SECONDS)]
    together = FrontEnd(SPEC)(np.stack(windows))["semantic"]
    for row, window in enumerate(windows):
        np.testing.assert_array_equal(heard(window), together[row])


def test_the_sound_is_resampled_once_for_all_framings_of_a_rate() -> None:
    rates: list[int] = []

    def spy(samples: Signal, rate: int, target: int) -> Signal:
        rates.append(target)
        return resample_by_soxr(samples, rate, target)

    coarse = TimbreSpec(Framing(rate=16000, n_fft=2048, hop=1024, n_mels=40))
    spec = FeatureSpec(DECODING, timbre=coarse, harmony=None, semantic=SemanticSpec())
    found = FrontEnd(spec, spy)(MUSIC[np.newaxis])
    assert rates == [16000]
    assert found["timbre"].shape == (1, 40, 62)


@given(st.integers(16000, 96000), st.floats(0.5, 2), st.integers(8000, 16000))
@settings(max_examples=50)
def test_a_resampled_window_has_as_many_samples_as_its_seconds_have(rate: int, seconds: float, lower: int) -> None:
    decoding = Decoding(rate=rate, seconds=seconds)
    window = resample(np.ones(decoding.samples, np.float32), decoding, lower)
    assert len(window) == decoding.samples_at(lower) == round(lower * seconds)
    assert window.dtype == np.float32
    assert window[len(window) // 2] == pytest.approx(1, abs=1e-4)


@given(st.integers(0, 6))
@settings(max_examples=6)
def test_gain_raises_it_by_its_decibels(doublings: int) -> None:
    plain, loud = heard(MUSIC), heard(MUSIC * np.float32(2**doublings))
    np.testing.assert_allclose(loud - plain, 20 * np.log10(2) * doublings, atol=1e-3)


def test_silence() -> None:
    np.testing.assert_allclose(heard(np.zeros(DECODING.samples, np.float32)), -100, atol=1e-4)


def test_moments_have_the_same_time_in_all_modalities() -> None:
    signal = np.zeros(DECODING.samples, np.float32)
    signal[round(2.5 * RATE) : round(2.5 * RATE) + 50] = 0.5
    found = FrontEnd(SPEC)(signal[np.newaxis])
    for name, frames_per_second in (("timbre", 50), ("semantic", 62.5)):
        loudest = found[name][0].max(axis=0)
        middle = np.flatnonzero(loudest > loudest.max() - 3).mean()
        assert middle / frames_per_second == pytest.approx(2.5, abs=0.01)


@pytest.mark.parametrize("hz", [8500, 9000, 12000, 15500, 20000])
def test_what_is_above_half_the_rate_is_not_heard_below_it(hz: int) -> None:
    time = np.arange(DECODING.samples) / RATE
    tone = (0.3 * np.sin(2 * np.pi * hz * time)).astype(np.float32)
    audible = heard((0.3 * np.sin(2 * np.pi * 4000 * time)).astype(np.float32))
    assert heard(tone)[:, 3:-3].max() < audible.max() - 90


class TestLibrosa:
    """librosa as the oracle."""

    @pytest.fixture(autouse=True)
    def _librosa(self) -> None:
        self.librosa = pytest.importorskip("librosa", reason="needs the development extra: librosa is the oracle")

    def mel(self, sound: Signal) -> NDArray[np.float32]:
        mel: NDArray[np.float32] = self.librosa.feature.melspectrogram(
            y=sound, sr=16000, n_fft=512, hop_length=256, n_mels=96, power=2
        )
        return mel[:, : len(sound) // 256]

    def test_it_holds_what_musicnn_takes(self) -> None:
        sound = soxr.resample(MUSIC, RATE, 16000)
        found = alone(Decoding(rate=16000, seconds=SECONDS))(sound[np.newaxis])["semantic"][0]
        np.testing.assert_allclose(as_musicnn(10 ** (found / 10)), as_musicnn(self.mel(sound)), rtol=0, atol=1e-3)

    @pytest.mark.parametrize(("quality", "tolerance"), [("soxr_hq", 1e-3), ("soxr_vhq", 0.05)])
    def test_a_resampled_sound_is_librosas(self, quality: str, tolerance: float) -> None:
        sound = self.librosa.resample(MUSIC, orig_sr=RATE, target_sr=16000, res_type=quality)
        found, expected = as_musicnn(10 ** (heard(MUSIC) / 10)), as_musicnn(self.mel(sound))
        assert np.abs(found - expected).mean() < tolerance / 10
        # The qualities differ in where they end, close to 8 kHz.
        np.testing.assert_allclose(found[:90], expected[:90], rtol=0, atol=tolerance)
