"""The phase vocoder gives the spectra and the stretched time that torchaudio's transforms give."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.training.augmentation.audio_augment import invert_spectrum, stretch_spectrum, transform
from tests.training.synthetic_music import music

if TYPE_CHECKING:
    from pathlib import Path

N_FFT = 1024
SPEED = 1.1
# The transforms are Python; only torchaudio's extension is of one build of PyTorch, so the process goes without it.
TORCHAUDIO = """
import sys, types
import numpy as np, torch
extension = types.ModuleType("torchaudio._extension")
extension._IS_TORCHAUDIO_EXT_AVAILABLE = extension._IS_ALIGN_AVAILABLE = False
extension.fail_if_no_align = lambda function: function
sys.modules["torchaudio._extension"] = extension
from torchaudio.transforms import InverseSpectrogram, Spectrogram, TimeStretch
source, target, n_fft, speed = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
samples = torch.tensor(np.load(source, allow_pickle=False))
spectrum = Spectrogram(n_fft, hop_length=n_fft // 4, power=None)(samples)
stretched = TimeStretch(n_fft // 4, n_fft // 2 + 1)(spectrum, speed)
inverse = InverseSpectrogram(n_fft, hop_length=n_fft // 4)(stretched, round(len(samples) / speed))
np.savez(target, spectrum=spectrum.T.numpy(), stretched=stretched.T.numpy(), inverse=inverse.numpy())
"""

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(
        find_spec("torchaudio") is None or find_spec("torch") is None, reason="torchaudio is the oracle"
    ),
]


def test_spectra_and_stretches_are_those_of_torchaudio(tmp_path: Path) -> None:
    sound = music()
    np.save(tmp_path / "sound.npy", sound, allow_pickle=False)
    arguments = [str(tmp_path / "sound.npy"), str(tmp_path / "oracle.npz"), str(N_FFT), str(SPEED)]
    done = subprocess.run([sys.executable, "-c", TORCHAUDIO, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "oracle.npz", allow_pickle=False) as oracle:
        spectrum = transform(sound, N_FFT)
        scale = np.abs(spectrum).max()
        np.testing.assert_allclose(spectrum, oracle["spectrum"], atol=1e-5 * scale)
        stretched = stretch_spectrum(spectrum, SPEED)
        assert stretched.shape == oracle["stretched"].shape
        np.testing.assert_allclose(np.abs(stretched), np.abs(oracle["stretched"]), atol=1e-4 * scale)
        inverse = invert_spectrum(oracle["stretched"], len(oracle["inverse"]))
        np.testing.assert_allclose(inverse, oracle["inverse"], atol=1e-4)
