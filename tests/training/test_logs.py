"""What is written and said of a training run."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch

from resonance_engine.training.learning.epochs import Epoch, describe_collapse, gate_entropy, open_epoch_bar, write_log

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("gates", "entropy"),
    [
        ([[1 / 3, 1 / 3, 1 / 3]], 1.0),
        ([[1.0, 0.0, 0.0]], 0.0),
        ([[0.5, 0.5, 0.0]], math.log(2) / math.log(3)),
        ([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]], 0.5),
        ([[1.0]], 1.0),
    ],
)
def test_entropy_of_gates(gates: list[list[float]], entropy: float) -> None:
    assert float(gate_entropy(torch.tensor(gates))) == pytest.approx(entropy, abs=1e-5)


def epoch(number: int, entropy: float, timbre: float) -> Epoch:
    return Epoch(number, 2.5, 1e-3, entropy, {"timbre": timbre, "rhythm": 1 - timbre}, {"map": 0.25}, 3.14159)


def test_a_collapse_is_told_once() -> None:
    course = [epoch(1, 0.9, 0.6), epoch(2, 0.2, 0.96), epoch(3, 0.1, 0.99)]
    assert [bool(describe_collapse(course[:count])) for count in range(4)] == [False, False, True, False]
    assert describe_collapse(course[:2]) == (
        "In epoch 2 the fusion relies on timbre almost alone (gate 0.96, entropy 0.20); a lower train.gate_speed or a "
        "higher train.facet_weight keeps the others."
    )


def test_the_log_is_a_table(tmp_path: Path) -> None:
    write_log(tmp_path / "log.csv", [epoch(1, 0.9, 0.75), epoch(2, 0.8, 0.5)])
    assert (tmp_path / "log.csv").read_text() == (
        "epoch,loss,lr,gate_entropy,gate_timbre,gate_rhythm,seconds,map\n"
        "1,2.5,0.001,0.9,0.75,0.25,3.142,0.25\n"
        "2,2.5,0.001,0.8,0.5,0.5,3.142,0.25\n"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "shown"), [(Terminal(), True), (Terminal(), False), (io.StringIO(), True)])
def test_the_bar_is_for_terminals(stream: io.StringIO, shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", stream)
    with open_epoch_bar(12, 3, 40, shown) as progress:
        progress.update(6)
    visible = shown and stream.isatty()
    assert ("epoch 3/40" in stream.getvalue()) == visible
    assert bool(stream.getvalue()) == visible
