"""YAMNet as it was published, as a system to compare with: means and deviations over patches of its pooled layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.quality.baselines import YAMNET_LABEL
from benchmarks.quality.systems import (
    DECODING,
    FEATURES,
    NETWORKS,
    SystemOutput,
    compared,
    cosine,
    resample,
    timed,
)
from resonance_engine.features.mel_bands import mel_bands
from resonance_engine.features.spec import Decoding, InstrumentationSpec
from resonance_engine.network.yamnet import BLOCKS, FRAMES, OFFSET, POOLED, YAMNet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from benchmarks.quality.systems import Similarity, TrackAudio

DEFAULT = Decoding()
FRAMING = InstrumentationSpec().framing
BATCH = 6  # patches at a time
LAST = BLOCKS[-1][0]
POOLINGS = {"last": "1024-d", "mean": "5 layers", "both": "5 layers, mean + deviation"}


class YamnetSystem:
    """The network with its published weights, without any levelling: 18 patches of 0.96 s a window, 72 a track."""

    name, version = "yamnet", "YAMNet, 72 patches"

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        torch.set_num_threads(1)
        self.network = YAMNet()
        self.network.load_state_dict(weights)

    def embed(self, audio: TrackAudio) -> SystemOutput:
        windows, decoding = audio.windows(DEFAULT)
        patches, features = timed(lambda: cut_patches(resample(windows, DEFAULT, FRAMING.rate)))
        arrays, networks = timed(lambda: self.pool(patches))
        return SystemOutput(arrays, {DECODING: decoding, FEATURES: features, NETWORKS: networks})

    @torch.inference_mode()
    def pool(self, patches: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return each pooling over patches (n, 96 frames, 64 bands)."""
        starts = range(0, len(patches), BATCH)
        parts = [self.network(torch.from_numpy(patches[at : at + BATCH])).pooled for at in starts]
        pooled = torch.cat(parts).numpy()
        mean = pooled.mean(axis=0)
        return {"last": mean[POOLED - LAST :], "mean": mean, "both": np.concatenate([mean, pooled.std(axis=0)])}

    def similarities(self) -> Mapping[str, Similarity]:
        return {
            f"{YAMNET_LABEL}{label}{', z-scored' if z else ''}": compared(name, cosine, z)
            for name, label in POOLINGS.items()
            for z in (False, True)
        }


def cut_patches(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return patches (n, 96 frames, 64 bands) of windows at 16 kHz; the rest at a window's end is dropped."""
    frames = [np.log(mel_bands(window, FRAMING).T + OFFSET) for window in windows]
    whole = [each[: len(each) // FRAMES * FRAMES].reshape(-1, FRAMES, FRAMING.n_mels) for each in frames]
    return np.concatenate(whole).astype(np.float32)
