"""Learning rates, the best epoch and the end of training, epoch by epoch."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from resonance_engine.training.config.settings import EarlyStopping, TrainSettings
from resonance_engine.training.learning.epochs import Epoch, best_epoch, end_reason, learning_rate_share

RULE = EarlyStopping(monitor="map", patience=2, min_delta=0.05)
TRAIN = TrainSettings(epochs=6, early_stopping=RULE)


def history(*values: float, name: str = "map", seconds: float = 1.0) -> list[Epoch]:
    return [
        Epoch(number, 1.0 / number, 1e-3, 1.0, {}, {name: value}, seconds)
        for number, value in enumerate(values, start=1)
    ]


def test_the_rate_warms_up_and_cools_down() -> None:
    train = TrainSettings(epochs=13, warmup_epochs=3)
    rates = [learning_rate_share(epoch, train) for epoch in range(14)]
    assert rates[:4] == pytest.approx([1 / 3, 2 / 3, 1.0, 1.0])
    assert rates[8] == pytest.approx(0.01 + 0.99 / 2)
    assert rates[13] == pytest.approx(0.01)
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert learning_rate_share(0, TrainSettings(epochs=1, warmup_epochs=0)) == 1.0


@pytest.mark.parametrize(
    ("values", "mode", "best"),
    [
        pytest.param([0.1], "max", 1, id="the first"),
        pytest.param([0.1, 0.3, 0.2], "max", 2, id="the highest"),
        pytest.param([0.1, 0.14, 0.16], "max", 3, id="better by more than min_delta than the best, not than the last"),
        pytest.param([0.1, 0.14, 0.14], "max", 1, id="not better by min_delta"),
        pytest.param([0.5, 0.5, 0.5], "max", 1, id="equal"),
        pytest.param([0.5, 0.2, 0.3], "min", 2, id="the lowest"),
        pytest.param([0.5, 0.46, 0.44], "min", 3, id="lower by more than min_delta"),
        pytest.param([math.nan, 0.1, math.nan], "max", 2, id="what is no number is not better"),
        pytest.param([math.nan], "max", None, id="no number at all"),
        pytest.param([], "max", None, id="no epoch"),
    ],
)
def test_the_best_epoch(values: list[float], mode: str, best: int | None) -> None:
    found = best_epoch(history(*values), replace(RULE, mode=mode))
    assert (found.number if found else None) == best


def test_the_loss_can_be_monitored_without_validation() -> None:
    rule = EarlyStopping(monitor="loss", mode="min")
    trained = [replace(epoch, validation={}) for epoch in history(0, 0, 0)]
    assert best_epoch(trained, rule) is trained[-1]
    assert best_epoch(trained, RULE) is None
    # A validated loss goes before that of training.
    validated = best_epoch(history(0.3, 0.1, 0.2, name="loss"), rule)
    assert validated is not None
    assert validated.number == 2


@pytest.mark.parametrize(
    ("values", "changes", "minutes", "ended"),
    [
        pytest.param([], {}, None, None, id="not begun"),
        pytest.param([], {}, 0.0, None, id="no time, but one epoch"),
        pytest.param([0.1, 0.2, 0.3, 0.4, 0.5], {}, None, None, id="better all the time"),
        pytest.param([0.1] * 6, {"early_stopping": replace(RULE, enabled=False)}, None, "complete", id="all epochs"),
        pytest.param([0.3, 0.1], {}, None, None, id="patience"),
        pytest.param([0.3, 0.1, 0.3], {}, None, "early stopping", id="patience is over"),
        pytest.param([0.3, 0.1, 0.1], {"early_stopping": replace(RULE, enabled=False)}, None, None, id="switched off"),
        pytest.param([0.3, 0.1, 0.4, 0.1], {}, None, None, id="patience begins anew"),
        pytest.param([math.nan] * 5, {}, None, None, id="nothing to look at"),
        pytest.param([0.1, 0.2], {}, 2.0, "time", id="the epoch that passes the time is the last"),
        pytest.param([0.1], {}, 2.0, None, id="time for another epoch"),
    ],
)
def test_the_end(values: list[float], changes: dict[str, EarlyStopping], minutes: float | None, ended: str) -> None:
    assert end_reason(history(*values, seconds=70.0), replace(TRAIN, **changes), minutes) == ended
