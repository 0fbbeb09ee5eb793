"""Epochs of a training run: results and their log, gate collapse, the best epoch, learning rates, early stopping."""

from __future__ import annotations

import csv
import io
import math
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from resonance_engine.console import progress_bar
from resonance_engine.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from resonance_engine.training.config.settings import EarlyStopping, TrainSettings

COLLAPSED = 0.3  # entropy of three gates where one has 0.92
EndReason = Literal["complete", "early stopping", "time"]


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
        f"In epoch {last.number} the fusion relies on {name} almost alone (gate {share:.2f}, entropy "
        f"{last.gate_entropy:.2f}); a lower train.gate_speed or a higher train.facet_weight keeps the others."
    )


def write_log(path: Path, epochs: Sequence[Epoch]) -> None:
    """Write a CSV file with a row per epoch.

    Columns: epoch, loss, lr, gate_entropy, gate_MODALITY for each, seconds, and the names of what was validated.
    """
    text = io.StringIO()
    rows = [
        {
            "epoch": epoch.number,
            "loss": epoch.loss,
            "lr": epoch.lr,
            "gate_entropy": epoch.gate_entropy,
            **{f"gate_{name}": share for name, share in epoch.gates.items()},
            "seconds": round(epoch.seconds, 3),
            **epoch.validation,
        }
        for epoch in epochs
    ]
    writer = csv.DictWriter(text, list(dict.fromkeys(name for each in rows for name in each)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def open_epoch_bar(identities: int, number: int, epochs: int, shown: bool) -> Any:
    """Open a progress bar over the songs of an epoch, on standard error, if that is a terminal."""
    disable = None if shown else True
    description = f"epoch {number}/{epochs}"
    return progress_bar(identities, unit="song", desc=description, leave=False, disable=disable, file=sys.stderr)


def learning_rate_share(epoch: int, train: TrainSettings) -> float:
    """Return the share of the learning rate in an epoch, from 0 on: linear warm-up, then half a cosine to 0.01."""
    if epoch < train.warmup_epochs:
        return (epoch + 1) / train.warmup_epochs
    progress = (epoch - train.warmup_epochs) / max(1, train.epochs - train.warmup_epochs)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))


def best_epoch(epochs: Sequence[Epoch], rule: EarlyStopping) -> Epoch | None:
    """Return the last epoch that was better than the best before it by more than `min_delta`.

    None where no epoch has a value of `monitor`: nothing was validated, or it was not a number.
    """
    best: Epoch | None = None
    for epoch in epochs:
        value = monitored_value(epoch, rule.monitor)
        if math.isnan(value):
            continue
        gain = math.inf if best is None else value - monitored_value(best, rule.monitor)
        if rule.mode == "min" and best is not None:
            gain = -gain
        if gain > rule.min_delta:
            best = epoch
    return best


def monitored_value(epoch: Epoch, monitor: str) -> float:
    """Return the epoch's validated number of that name; its training loss where "loss" was not validated; else NaN."""
    return epoch.validation.get(monitor, epoch.loss if monitor == "loss" else math.nan)


def end_reason(epochs: Sequence[Epoch], train: TrainSettings, minutes: float | None = None) -> EndReason | None:
    """Return why training ends now, or None; `minutes` end with the epoch that passes them."""
    if len(epochs) >= train.epochs:
        return "complete"
    best = best_epoch(epochs, train.early_stopping)
    waited = epochs[-1].number - best.number if best else 0
    if train.early_stopping.enabled and waited >= train.early_stopping.patience:
        return "early stopping"
    if minutes is not None and epochs and sum(epoch.seconds for epoch in epochs) >= 60 * minutes:
        return "time"
    return None
