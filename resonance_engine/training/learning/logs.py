"""Logs of a training run: a row per epoch in a file, a progress bar, a warning when gates collapse."""

from __future__ import annotations

import csv
import io
import math
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from resonance_engine.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

COLLAPSED = 0.3  # entropy of three gates where one has 0.92


@dataclass(frozen=True)
class Epoch:
    """Results of an epoch, numbered from 1.

    `loss` is the mean over its batches, `lr` the learning rate; `gate_entropy` the mean entropy of the gates (1 = all
    equal, 0 = one alone) and `gates` the mean gate of each modality; `seconds` its duration, validation included;
    `validation` the caller's metrics after it.
    """

    number: int
    loss: float
    lr: float
    gate_entropy: float
    gates: dict[str, float]
    validation: dict[str, float] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)


def gate_entropy(gates: Tensor) -> Tensor:
    """Return the mean entropy of gates (windows, modalities) over that of equal gates, 0 to 1; 1 for a single one."""
    if gates.shape[1] == 1:
        return gates.new_ones(())
    entropy = -(gates * gates.clamp(min=1e-12).log()).sum(dim=1).mean()
    return entropy / math.log(gates.shape[1])


def describe_collapse(epochs: Sequence[Epoch]) -> str:
    """Return a sentence when the gates collapsed onto one modality in the last of these epochs, else an empty one."""
    fallen = [epoch.gate_entropy < COLLAPSED for epoch in epochs]
    if not fallen or not fallen[-1] or any(fallen[:-1]):
        return ""
    last = epochs[-1]
    name, share = max(last.gates.items(), key=lambda item: item[1])
    return (
        f"In epoch {last.number} the fusion listens to {name} almost alone (gate {share:.2f}, entropy "
        f"{last.gate_entropy:.2f}); a lower train.gate_speed or a higher train.facet_weight keeps the others."
    )


def write_log(path: Path, epochs: Sequence[Epoch]) -> None:
    """Write a CSV file with a row per epoch.

    Columns: epoch, loss, lr, gate_entropy, gate_MODALITY for each, seconds, and the names of what was validated.
    """
    text = io.StringIO()
    rows = [log_row(epoch) for epoch in epochs]
    writer = csv.DictWriter(text, list(dict.fromkeys(name for each in rows for name in each)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def log_row(epoch: Epoch) -> dict[str, float]:
    return {
        "epoch": epoch.number,
        "loss": epoch.loss,
        "lr": epoch.lr,
        "gate_entropy": epoch.gate_entropy,
        **{f"gate_{name}": share for name, share in epoch.gates.items()},
        "seconds": round(epoch.seconds, 3),
        **epoch.validation,
    }


def progress_bar(identities: int, number: int, epochs: int, shown: bool) -> tqdm[Any]:
    """Open a progress bar over the songs of an epoch, on standard error, if that is a terminal."""
    return tqdm(
        total=identities,
        desc=f"epoch {number}/{epochs}",
        unit=" songs",
        leave=False,
        disable=None if shown else True,
        file=sys.stderr,
    )
