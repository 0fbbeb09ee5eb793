"""A few seconds of training: it learns, it can be repeated, it stops when it should, and it says what is wrong."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch

from resonance_engine.errors import TrainingError
from resonance_engine.training.config.settings import AugmentSettings, EarlyStopping, TrainSettings
from resonance_engine.training.learning.loop import TrainedNetwork, frames_of, train
from tests.tiny_models import SPEC
from tests.tiny_networks import tiny_network
from tests.training.window_sets import make_window_set

if TYPE_CHECKING:
    from resonance_engine.network.model import ResonanceNetwork
    from resonance_engine.training.learning.epochs import Epoch

STOPPING = EarlyStopping(monitor="map", patience=2, min_delta=0.0)
TRAIN = TrainSettings(
    epochs=6,
    warmup_epochs=1,
    batch_identities=6,
    views_per_song=2,
    crop_seconds=0.6,
    lr=3e-3,
    temperature=0.1,
    early_stopping=STOPPING,
)
AUGMENT = AugmentSettings(curve_db=1.0)
WINDOWS = make_window_set()


def trained(config: TrainSettings = TRAIN, **options: Any) -> TrainedNetwork:
    windows, augment = options.pop("windows", WINDOWS), options.pop("augment", AUGMENT)
    return train(options.pop("network", tiny_network()), windows, config, augment, device="cpu", **options)


def same(first: ResonanceNetwork, second: ResonanceNetwork) -> bool:
    others = second.state_dict()
    return all(torch.equal(values, others[name]) for name, values in first.state_dict().items())


def test_it_learns_and_can_be_repeated() -> None:
    reported: list[Epoch] = []
    first = trained(report=reported.append)
    assert not first.network.training
    assert reported == first.epochs
    assert [epoch.number for epoch in reported] == [1, 2, 3, 4, 5, 6]
    assert reported[-1].loss < 0.8 * reported[0].loss
    assert [epoch.lr for epoch in reported[:2]] == [3e-3, 3e-3]
    assert reported[-1].lr < 1e-3
    assert all(0 <= epoch.gate_entropy <= 1 for epoch in reported)
    assert all(sum(epoch.gates.values()) == pytest.approx(1.0, abs=1e-5) for epoch in reported)
    assert (first.ended, first.best) == ("complete", None)
    again = trained()
    assert again.epochs == first.epochs
    assert same(again.network, first.network)
    assert not same(trained(replace(TRAIN, seed=1)).network, first.network)


@pytest.mark.parametrize("loss", get_args(get_type_hints(TrainSettings)["loss"]))
def test_every_loss_draws_songs_together(loss: str) -> None:
    """Windows of a song come closer to each other, measured by how far songs of other groups are."""
    group = torch.from_numpy(WINDOWS.group[WINDOWS.song])
    song = torch.from_numpy(WINDOWS.song)

    def spread(network: ResonanceNetwork) -> float:
        features = WINDOWS.rows(range(len(song)))
        with torch.no_grad():
            vectors = network(*(torch.from_numpy(features[name]) for name in network.modalities))[0]
        squared = 2 - 2 * vectors @ vectors.T
        return float(squared[song[:, None] == song].mean() / squared[group[:, None] != group].mean())

    start = trained(replace(TRAIN, epochs=1, lr=1e-9))
    margin = 1.0 if loss == "contrastive" else 0.2
    found = trained(replace(TRAIN, loss=loss, margin=margin))
    assert spread(found.network) < 0.7 * spread(start.network)


def test_a_batch_larger_than_the_set_still_trains() -> None:
    found = trained(replace(TRAIN, batch_identities=64, epochs=1), windows=WINDOWS.subset([0, 1]))
    assert math.isfinite(found.epochs[0].loss)
    assert not same(found.network, tiny_network())


def test_inputs_are_standardised_unless_they_are_already() -> None:
    for standardized in (False, True):
        network = trained(replace(TRAIN, epochs=1), standardized=standardized).network
        before, after = (each.get_buffer("backbones.rhythm.standardize.mean") for each in (tiny_network(), network))
        assert torch.equal(before, after) == standardized


@pytest.mark.parametrize(("seconds", "frames"), [(0.6, 30), (1.0, 50), (0.001, 1)])
def test_a_crop_in_frames(seconds: float, frames: int) -> None:
    assert frames_of(seconds, SPEC) == frames


class TestEarlyStopping:
    """Validation that says 1, 3, 2, 1, ...: the second epoch is the best, the fourth the last."""

    class Judge:
        def __init__(self) -> None:
            self.seen: list[dict[str, torch.Tensor]] = []

        def __call__(self, network: ResonanceNetwork) -> dict[str, float]:
            assert not network.training
            self.seen.append({name: values.clone() for name, values in network.state_dict().items()})
            return {"map": {1: 1.0, 2: 3.0, 3: 2.0}.get(len(self.seen), 1.0)}

    def run(self, **rule: Any) -> tuple[TrainedNetwork, int]:
        """The run, and the epoch whose weights it ends with."""
        judge = self.Judge()
        found = trained(replace(TRAIN, early_stopping=replace(STOPPING, **rule)), validate=judge)
        weights = found.network.state_dict()
        kept = [all(torch.equal(weights[name], values) for name, values in seen.items()) for seen in judge.seen]
        assert [epoch.validation["map"] for epoch in found.epochs] == [1.0, 3.0, 2.0, 1.0, 1.0, 1.0][: len(judge.seen)]
        return found, 1 + kept.index(True)

    def test_it_stops_and_restores_the_best(self) -> None:
        found, kept = self.run()
        assert (found.ended, len(found.epochs), kept) == ("early stopping", 4, 2)
        assert found.best == found.epochs[1]

    def test_it_can_keep_the_last(self) -> None:
        found, kept = self.run(restore_best=False)
        assert (found.ended, kept, found.best) == ("early stopping", 4, found.epochs[1])

    def test_the_best_is_restored_at_the_end_too(self) -> None:
        found, kept = self.run(patience=9)
        assert (found.ended, kept) == ("complete", 2)

    def test_switched_off_it_only_tells(self) -> None:
        found, kept = self.run(enabled=False)
        assert (found.ended, kept, found.best) == ("complete", 6, found.epochs[1])


def test_time_ends_with_the_epoch_that_passes_it() -> None:
    found = trained(minutes=1e-9)
    assert (found.ended, len(found.epochs)) == ("time", 1)
    assert trained(replace(TRAIN, epochs=2), minutes=60.0).ended == "complete"


def test_a_loss_that_is_no_number_is_one_sentence() -> None:
    network = tiny_network()
    with torch.no_grad():
        network.get_parameter("fusion.gates.bias").fill_(torch.nan)
    with pytest.raises(TrainingError, match=r"In epoch 1 the loss is no longer a number; try a lower train\.lr \(now"):
        trained(TRAIN, network=network)


def test_collapsed_gates_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    network = tiny_network()
    with torch.no_grad():
        network.get_parameter("fusion.gates.bias").copy_(torch.tensor([9.0, -9.0, -9.0]))
    with caplog.at_level(logging.INFO, "resonance_engine.training"):
        found = trained(replace(TRAIN, epochs=2), network=network)
    assert found.epochs[1].gate_entropy < 0.1
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
    assert caplog.messages[0] == "Training on cpu, in float32."
    assert "relies on timbre almost alone" in caplog.messages[1]


def test_gradient_checkpointing_changes_nothing() -> None:
    plain, again = (trained(replace(TRAIN, epochs=2, gradient_checkpointing=each)) for each in (False, True))
    assert same(plain.network, again.network)


def test_an_absent_device_is_one_sentence() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has an NVIDIA GPU")
    with pytest.raises(TrainingError, match="no NVIDIA GPU"):
        train(tiny_network(), WINDOWS, TRAIN, AUGMENT, device="cuda")
