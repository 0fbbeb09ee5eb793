"""Two processes train as one does."""

from __future__ import annotations

import csv
import subprocess
import sys

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file
from torch import nn

from resonance_engine.errors import TrainingError
from resonance_engine.training.learning.device import (
    SharedBatchNorm,
    World,
    is_distributed,
    join,
    local_rank,
    share_statistics,
)
from resonance_engine.training.learning.loop import LOG, STATE
from tests.paths import ROOT
from tests.training import training_process

if TYPE_CHECKING:
    from pathlib import Path

TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}

# The batch norm after it takes this bias away, so that its gradients are rounding errors, which AdamW makes steps of.
IDLE = ("rhythm.layers.0.bias", "rhythm.layers.1.running_mean")


@pytest.mark.slow
def test_two_processes_give_what_one_gives(tmp_path: Path) -> None:
    """13 songs in batches of 5 are shared 2 and 3, and the rest of 3 as 1 and 2."""
    command = [
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "tests.training.training_process",
    ]
    done = subprocess.run(
        [sys.executable, *command, str(tmp_path / "two")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    training_process.run(tmp_path / "one")
    logs = []
    for name in ("one", "two"):
        with (tmp_path / name / LOG).open(newline="") as file:
            logs.append([{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)])
    for one, two in zip(*logs, strict=True):
        del one["seconds"], two["seconds"]
        assert one == pytest.approx(two, rel=1e-4)
    states = [load_file(tmp_path / name / STATE) for name in ("one", "two")]
    assert states[0].keys() == states[1].keys()
    for name, values in states[0].items():
        if name.startswith("weights.") and not name.endswith(IDLE):
            assert float((states[1][name] - values).double().norm()) <= 1e-4 * float(values.double().norm()), name


class TestAlone:
    """One process is a world of one: nothing is asked of anybody."""

    def test_nothing_changes(self) -> None:
        rows, labels = torch.ones(3, 2), torch.arange(3)
        network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        world = World()
        assert world.first
        assert world.gather(rows, labels) == (rows, labels)
        assert world.broadcast(b"words") == b"words"
        with share_statistics(network, world):
            assert not any(isinstance(each, SharedBatchNorm) for each in network)

    def test_it_needs_all_that_torchrun_says(self) -> None:
        assert is_distributed(TORCHRUN)
        assert local_rank(TORCHRUN) == 1
        for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
            assert not is_distributed({key: value for key, value in TORCHRUN.items() if key != name})
        assert not is_distributed({**TORCHRUN, "WORLD_SIZE": "1"})
        assert local_rank({"LOCAL_RANK": "1"}) == 0


def test_apple_gpus_do_not_share(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match="Apple GPU together"):
        join(torch.device("mps"))


class TestSharedBatchNorm:
    """With `summed` for one process, it is PyTorch's batch norm."""

    @pytest.fixture(autouse=True)
    def _alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("resonance_engine.training.learning.device.sum_over_processes", lambda x: x)

    @pytest.mark.parametrize(("layer", "shape"), [(nn.BatchNorm1d, (7, 4)), (nn.BatchNorm2d, (5, 4, 3, 6))])
    def test_it_computes_and_learns_the_same(
        self, layer: type[nn.BatchNorm1d] | type[nn.BatchNorm2d], shape: tuple[int, ...]
    ) -> None:
        torch.manual_seed(0)
        x = 3 * torch.randn(shape) + 1
        networks = [nn.Sequential(layer(4)), nn.Sequential(layer(4))]
        gradients = []
        for network, size in zip(networks, (1, 2), strict=True):
            nn.init.constant_(network[0].weight, 1.5)
            inputs = x.clone().requires_grad_()
            with share_statistics(network, World(size=size)):
                assert isinstance(network[0], SharedBatchNorm) == (size == 2)
                outcome = network(inputs)
                torch.autograd.backward((outcome * torch.linspace(-1, 1, x.numel()).view_as(x)).sum())
                network.eval()
                at_rest = network(inputs)
            assert isinstance(network[0], layer)
            assert not network[0].training
            torch.testing.assert_close(network(inputs), at_rest)
            gradients.append([outcome, inputs.grad, network[0].weight.grad, network[0].bias.grad])
        for plain, shared in zip(*gradients, strict=True):
            torch.testing.assert_close(shared, plain, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(networks[1].state_dict(), networks[0].state_dict())
