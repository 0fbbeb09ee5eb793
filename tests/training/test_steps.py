"""From a batch to moved weights: accumulation, clipping, precision, the gates' own rate."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch

from resonance_engine.training.config.settings import AugmentSettings, TrainSettings
from resonance_engine.training.learning.device import Precision, World
from resonance_engine.training.learning.steps import OptimizerSteps
from tests.tiny_networks import tiny_network
from tests.training.window_sets import make_window_set

if TYPE_CHECKING:
    from resonance_engine.training.data.dataset import Batch

TRAIN = TrainSettings(lr=1e-2, batch_identities=6, views_per_song=2, temperature=0.1)
FLOAT32 = Precision("cpu")


@pytest.fixture(scope="module")
def batches() -> list[Batch]:
    return list(make_window_set(12).epoch(6, 2, 30, AugmentSettings(), 0, 1))


def steps(train: TrainSettings = TRAIN, precision: Precision = FLOAT32) -> OptimizerSteps:
    return OptimizerSteps(tiny_network().train(), train, precision, World())


def weights(taken: OptimizerSteps) -> list[torch.Tensor]:
    return [parameter.detach() for parameter in taken.network.parameters()]


def apart(first: OptimizerSteps, second: OptimizerSteps) -> float:
    return max(float((one - other).abs().max()) for one, other in zip(weights(first), weights(second), strict=True))


class TestAccumulation:
    def test_the_same_batch_twice_is_one_step_with_it(self, batches: list[Batch]) -> None:
        once, twice = steps(), steps(replace(TRAIN, accumulate_steps=2))
        once.accumulate(batches[0])
        twice.accumulate(batches[0])
        assert apart(twice, steps()) == 0.0
        twice.accumulate(batches[0])
        assert apart(twice, steps()) > 1e-3
        assert apart(once, twice) < 1e-6

    def test_two_batches_are_a_step_along_their_mean_gradient(self, batches: list[Batch]) -> None:
        taken = steps(replace(TRAIN, accumulate_steps=2))
        gradients = []
        for batch in batches:
            single = steps(replace(TRAIN, accumulate_steps=9))
            single.accumulate(batch)
            gradients.append([parameter.grad for parameter in single.network.parameters()])
            taken.accumulate(batch)
        moments = [taken.optimizer.state[parameter]["exp_avg"] for parameter in taken.network.parameters()]
        mean = [
            (one + other) / 2 for one, other in zip(*gradients, strict=True) if one is not None and other is not None
        ]
        norm = torch.stack([each.norm() for each in mean]).norm().clamp(min=5.0)
        for moment, gradient in zip(moments, mean, strict=True):
            torch.testing.assert_close(moment, 0.1 * gradient * 5.0 / norm, rtol=1e-4, atol=1e-8)

    def test_what_is_left_at_the_end_is_a_step(self, batches: list[Batch]) -> None:
        taken, once = steps(replace(TRAIN, accumulate_steps=3)), steps()
        taken.accumulate(batches[0])
        taken.step()
        once.accumulate(batches[0])
        assert apart(taken, once) == 0.0
        taken.step()
        assert apart(taken, once) == 0.0


def test_large_gradients_are_scaled_down(batches: list[Batch]) -> None:
    norms = {}
    for temperature in (0.1, 10.0):
        taken = steps(replace(TRAIN, temperature=temperature))
        taken.accumulate(batches[0])
        moments = [each["exp_avg"].norm() for each in taken.optimizer.state.values()]
        norms[temperature] = float(torch.stack(moments).norm()) / 0.1
    assert norms[0.1] == pytest.approx(5.0, rel=1e-4)
    assert norms[10.0] < 4.9


def test_gates_learn_faster(batches: list[Batch]) -> None:
    """AdamW's first step is the learning rate, whatever the gradient."""
    taken, before = steps(replace(TRAIN, lr=1e-3, gate_speed=20.0, weight_decay=0.0)), tiny_network().state_dict()
    taken.set_rate(0.5)
    taken.accumulate(batches[0])
    after = taken.network.state_dict()
    for name, rate in (("fusion.gates.bias", 1e-2), ("backbones.timbre.project.bias", 5e-4)):
        assert float((after[name] - before[name]).abs().max()) == pytest.approx(rate, rel=1e-2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision(batches: list[Batch], dtype: torch.dtype) -> None:
    """Layers compute in half precision, weights and loss do not; the loss is close to that of float32."""
    mixed, plain = steps(precision=Precision("cpu", dtype)), steps()
    seen: list[torch.dtype] = []
    project = mixed.network.get_submodule("backbones.timbre.project")
    project.register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))
    losses = [each.accumulate(batches[0])[0] for each in (mixed, plain)]
    assert seen == [dtype]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    assert losses[0] != losses[1]
    assert {each.dtype for each in weights(mixed)} == {torch.float32}
    for _ in range(12):  # the scale falls until gradients do not overflow
        if apart(mixed, steps()) == 0:
            mixed.accumulate(batches[0])
    assert apart(mixed, steps()) > 1e-3
    assert (mixed.scaler.get_scale() > 1) == (dtype == torch.float16)


def test_what_a_batch_tells(batches: list[Batch]) -> None:
    taken = steps()
    with torch.no_grad():
        gates = taken.network(*(batches[0].features[name] for name in taken.network.modalities))[2]
    loss, entropy, means = steps().accumulate(batches[0])
    assert loss > 0
    assert 0 < entropy <= 1
    assert means == pytest.approx(gates.mean(dim=0).tolist(), rel=1e-5)
