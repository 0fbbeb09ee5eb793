"""Schedule of the learning rate, the best epoch, and early stopping."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resonance_engine.training.config.settings import EarlyStopping, TrainSettings
    from resonance_engine.training.learning.logs import Epoch

EndReason = Literal["complete", "early stopping", "time"]


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
