"""musicnn as it was published, on patches of 3 s (Pons & Serra 2019)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.quality.similarity import compared, cosine
from benchmarks.quality.systems import DECODING, FEATURES, NETWORKS, SystemOutput, resample, timed
from resonance_engine.features.spec import Decoding

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.quality.systems import Similarity, TrackAudio

DEFAULT = Decoding()
RATE, N_FFT, HOP, BANDS, FRAMES = 16000, 512, 256, 96, 187
BATCH = 2  # patches at a time: what fits the processor's caches, twice as fast as all 24
POOLINGS = {
    "penultimate": "200-d",
    "mean": "mean pool",
    "max": "max pool",
    "both": "max + mean pool",
    "tags": "tags",
}
LABEL = "musicnn MSD, "


class MusicnnSystem:
    """The uncut network with its weights from the Million Song Dataset, averaged over its patches.

    Its input is made by librosa as musicnn makes it, from the windows at 16 kHz: six patches of 187 frames a window,
    24 a track. `folder` holds the TensorFlow checkpoint.
    """

    name = "musicnn"

    def __init__(self, folder: Path) -> None:
        self.torch: Any = import_module("torch")
        self.librosa: Any = import_module("librosa")
        from resonance_engine.network.musicnn import MusiCNN, state_of
        from training.default_model.pretrained import read_variables

        self.torch.set_num_threads(1)
        self.network = MusiCNN().eval()
        self.network.load_state_dict(state_of(read_variables(folder)))
        self.version = f"MSD_musicnn uncut, {FRAMES} frames a patch"

    def embed(self, audio: TrackAudio) -> SystemOutput:
        windows, decoding = audio.windows(DEFAULT)
        patches, features = timed(lambda: self.patches(resample(windows, DEFAULT, RATE)))
        arrays, networks = timed(lambda: self.averages(patches))
        return SystemOutput(dict(arrays), {DECODING: decoding, FEATURES: features, NETWORKS: networks})

    def patches(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return patches (n, 187 frames, 96 bands), window by window; the rest at a window's end is dropped."""
        patches = []
        for window in windows:
            mel = self.librosa.feature.melspectrogram(y=window, sr=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=BANDS)
            frames = np.log10(10000 * mel.T + 1)
            patches.append(frames[: len(frames) // FRAMES * FRAMES].reshape(-1, FRAMES, BANDS))
        return np.concatenate(patches).astype(np.float32)

    def averages(self, patches: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return each layer's mean over the patches."""
        parts: list[dict[str, NDArray[np.float32]]] = []
        with self.torch.inference_mode():
            for at in range(0, len(patches), BATCH):
                hidden, pooled, logits = self.network(self.torch.from_numpy(patches[at : at + BATCH]))
                layers = {
                    "penultimate": hidden,
                    "max": pooled[:, 0::2],
                    "mean": pooled[:, 1::2],
                    "both": pooled,
                    "tags": logits.sigmoid(),
                }
                parts.append({name: layer.numpy() for name, layer in layers.items()})
        return {name: np.concatenate([part[name] for part in parts]).mean(axis=0) for name in POOLINGS}

    def similarities(self) -> Mapping[str, Similarity]:
        return {
            f"{LABEL}{label}{', z-scored' if z else ''}": compared(name, cosine, z)
            for name, label in POOLINGS.items()
            for z in (False, True)
        }
