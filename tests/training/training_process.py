"""A small training run as a program of its own, to be killed or started several times at once.

    python -m tests.training.training_process FOLDER [EPOCH]

With EPOCH it prints a line while that epoch is validated, and waits to be killed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from resonance_engine.training.config.settings import AugmentSettings, EarlyStopping, TrainSettings
from resonance_engine.training.learning.loop import TrainedNetwork, train
from tests.tiny_networks import tiny_network
from tests.training.window_sets import make_window_set

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonance_engine.network.model import ResonanceNetwork

# 13 songs in batches of 5: shares of different sizes, and a rest.
SETTINGS = TrainSettings(
    epochs=4,
    warmup_epochs=1,
    batch_identities=5,
    views_per_song=2,
    crop_seconds=0.6,
    lr=1e-3,
    gate_speed=3.0,
    gradient_checkpointing=True,
    temperature=0.1,
    early_stopping=EarlyStopping(monitor="map", patience=3, min_delta=0.0),
)
AUGMENT = AugmentSettings(mix=0.2)
# Better, worse, better, worse: the best epoch is neither the first nor the last.
QUALITY = (0.5, 0.4, 0.6, 0.3)


def validation(hang_in: int = 0) -> Callable[[ResonanceNetwork], dict[str, float]]:
    """Invented numbers, epoch by epoch, told from how often the network has seen a batch."""

    def validate(network: ResonanceNetwork) -> dict[str, float]:
        seen = next(values for name, values in network.named_buffers() if name.endswith("num_batches_tracked"))
        epoch = int(seen) // 3
        if epoch == hang_in:
            sys.stdout.write("hanging\n")
            sys.stdout.flush()
            time.sleep(600)
        return {"map": QUALITY[epoch - 1]}

    return validate


def run(folder: Path | None, hang_in: int = 0) -> TrainedNetwork:
    return train(
        tiny_network(), make_window_set(13), SETTINGS, AUGMENT, device="cpu", validate=validation(hang_in), run=folder
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
