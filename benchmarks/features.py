"""Time the front end on a window, piece by piece, against librosa.

Wall-clock medians; the two take turns, so that any other load on the machine slows both. For times of one core
set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import librosa
import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import median_times
from resonance_engine.features.front_end import FrontEnd
from resonance_engine.features.harmony import chroma
from resonance_engine.features.rhythm import tempo_envelope
from resonance_engine.features.spec import FeatureSpec, Framing, HarmonySpec, RhythmSpec
from resonance_engine.features.spectrum import Spectra
from tests.audio_files import tune

Array = NDArray[np.float32]
Piece = tuple[Callable[[], object], Callable[[], object]]

SPEC = FeatureSpec()
FRAMING = Framing()
STFT: dict[str, Any] = {"n_fft": FRAMING.n_fft, "hop_length": FRAMING.hop}


def librosa_power(signal: Array) -> Array:
    power: Array = np.abs(librosa.stft(signal, **STFT)) ** 2
    return power


def librosa_mel(power: Array) -> Array:
    return librosa.feature.melspectrogram(S=power, sr=FRAMING.rate, n_mels=FRAMING.n_mels)


def librosa_chroma(power: Array) -> Array:
    return librosa.feature.chroma_stft(S=power, sr=FRAMING.rate, n_fft=FRAMING.n_fft, n_chroma=24, tuning=0)


def librosa_rhythm(mel: Array) -> Array:
    onsets = librosa.onset.onset_strength(S=librosa.power_to_db(mel, ref=np.max), sr=FRAMING.rate, center=False)
    tempogram = librosa.feature.tempogram(onset_envelope=onsets, sr=FRAMING.rate, win_length=320)
    envelope: Array = tempogram.mean(axis=1)
    return envelope


def librosa_linear(signal: Array) -> tuple[Array, ...]:
    """The features as librosa's users compute them: HPSS of the linear spectrogram."""
    stft = librosa.stft(signal, **STFT)
    harmonic, percussive = librosa.decompose.hpss(stft)
    timbre = librosa.power_to_db(librosa_mel(np.abs(stft) ** 2), top_db=None)
    return timbre, librosa_chroma(np.abs(harmonic) ** 2), librosa_rhythm(librosa_mel(np.abs(percussive) ** 2))


def librosa_on_mel(signal: Array) -> tuple[Array, ...]:
    """Compute the features with librosa's HPSS on the mel spectrogram; its chroma is then that of the whole signal."""
    power = librosa_power(signal)
    mel = librosa_mel(power)
    _, percussive = librosa.decompose.hpss(np.sqrt(mel))
    return librosa.power_to_db(mel, top_db=None), librosa_chroma(power), librosa_rhythm(percussive**2)


def pieces(signal: Array) -> dict[str, Piece]:
    """Return the timed pieces by name, ours and librosa's, each with the output of the piece before it."""
    ready = Spectra(signal, FRAMING, True)
    power, mel, percussive = ready.power, ready.mel, ready.percussive
    power_t, mel_t, percussive_t = power.T.copy(), mel.T.copy(), percussive.T.copy()
    magnitude_t = np.sqrt(mel_t)

    def fresh(**known: Array) -> Spectra:
        spectra = Spectra(signal, FRAMING, True)
        # cached_property stores its values here.
        spectra.__dict__.update(known)
        return spectra

    front_end = FrontEnd(SPEC)
    window = signal[np.newaxis]
    return {
        "power spectrogram": (lambda: fresh().power, lambda: librosa_power(signal)),
        "mel from power": (lambda: fresh(power=power).mel, lambda: librosa_mel(power_t)),
        "HPSS masks on mel": (
            lambda: fresh(mel=mel).harmonic_mask,
            lambda: librosa.decompose.hpss(magnitude_t, mask=True),
        ),
        "harmonic power + chroma": (
            lambda: chroma(fresh(power=power, harmonic_mask=ready.harmonic_mask), HarmonySpec()),
            lambda: librosa_chroma(power_t),
        ),
        "onsets + tempogram": (
            lambda: tempo_envelope(fresh(percussive=percussive), RhythmSpec()),
            lambda: librosa_rhythm(percussive_t),
        ),
        "whole, librosa HPSS on mel": (lambda: front_end(window), lambda: librosa_on_mel(signal)),
        "whole, librosa HPSS on bins": (lambda: front_end(window), lambda: librosa_linear(signal)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="runs of each piece, of which the median counts")
    runs = parser.parse_args().runs
    timed = pieces(tune(SPEC.decoding.seconds, FRAMING.rate, channels=1)[0])
    actions = {(name, place): action for name, pair in timed.items() for place, action in enumerate(pair)}
    times = median_times(actions, runs)
    print(f"one window of {SPEC.decoding.seconds:g} s, ms   Resonance   librosa   ratio")
    for name in timed:
        ours, theirs = times[name, 0], times[name, 1]
        print(f"{name:<28} {ours:12.1f} {theirs:9.1f} {theirs / ours:7.1f}")


if __name__ == "__main__":
    main()
