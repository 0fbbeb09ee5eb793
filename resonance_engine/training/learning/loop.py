"""Metric learning on windows of songs: from a set of features to trained weights."""

from __future__ import annotations

import json
import logging
import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from resonance_engine.errors import TrainingError, printable
from resonance_engine.network.standardize import Standardize
from resonance_engine.training.learning.checkpoint import TrainingProgress, identify_training, resume, write_state
from resonance_engine.training.learning.device import (
    choose_precision,
    explain_out_of_memory,
    join,
    local_rank,
    select_device,
    share_statistics,
)
from resonance_engine.training.learning.epochs import (
    EndReason,
    Epoch,
    best_epoch,
    describe_collapse,
    end_reason,
    learning_rate_share,
    open_epoch_bar,
    write_log,
)
from resonance_engine.training.learning.steps import OptimizerSteps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from resonance_engine.features.spec import FeatureSpec
    from resonance_engine.network.model import ResonanceNetwork
    from resonance_engine.training.config.settings import AugmentSettings, TrainSettings
    from resonance_engine.training.data.dataset import Batch, WindowSet

    Validate = Callable[[ResonanceNetwork], dict[str, float]]

log = logging.getLogger(__name__)

STATE, LOG = "state.safetensors", "log.csv"
SAMPLE = 500  # windows that means and deviations are measured on


@dataclass(frozen=True)
class TrainedNetwork:
    """Result of training: the network on the CPU in evaluation mode, its epochs, and the best of them.

    `best` is None without validation. The weights are those of the best epoch where early stopping is on and
    restores it, else the last ones. `ended` is the reason: "complete", "early stopping" or "time".
    """

    network: ResonanceNetwork
    epochs: list[Epoch]
    best: Epoch | None
    ended: EndReason


def train(
    network: ResonanceNetwork,
    windows: WindowSet,
    config: TrainSettings,
    augment: AugmentSettings,
    *,
    device: str = "auto",
    validate: Validate | None = None,
    run: Path | None = None,
    report: Callable[[Epoch], None] = lambda _: None,
    minutes: float | None = None,
    standardized: bool = False,
) -> TrainedNetwork:
    """Train the network in place on these windows.

    `validate` measures it after each epoch, in evaluation mode and on its device; early stopping monitors its numbers,
    and does nothing without it, unless it monitors the loss. With `run`, a folder, log.csv there has a row per
    epoch and state.safetensors all that is needed to go on: another call with the same arguments, and the network as
    it was then, continues as if nothing had happened. `report` is called with every new epoch. `minutes` ends training
    with the first epoch beyond them, those of an earlier call included. The inputs are standardised by the windows
    first, unless the network is `standardized`. Under `torchrun` the processes share the work.

    Raises TrainingError when the device is absent, the memory too small, the loss no number, or the state not of
    this training.
    """
    place = select_device(device, local_rank())
    world = join(place)
    # PyTorch would imitate bfloat16, slowly, on older GPUs.
    bfloat16 = place.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    precision = choose_precision(place.type, config.use_amp, bfloat16)
    if world.first:
        log.info("Training on %s, in %s.", place.type, precision)
    identity = identify_training(network, windows, config, augment, standardized)
    identities = len(np.unique(windows.identity))
    frames = frames_of(config.crop_seconds, windows.spec)

    def batches(number: int) -> Iterator[Batch]:
        songs, views, part = config.batch_identities, config.views_per_song, (world.rank, world.size)
        return windows.epoch(songs, views, frames, augment, config.seed, number, part)

    with explain_out_of_memory(config, place.type):
        if not standardized:
            standardize(network, windows)
        world.broadcast_weights(network.to(place))
        steps = OptimizerSteps(network, config, precision, world)
        progress = resume(run / STATE, steps, identity) if run else TrainingProgress()
        with share_statistics(network, world):
            while (ended := end_reason(progress.epochs, config, minutes)) is None:
                number = len(progress.epochs) + 1
                progress.add(train_epoch(steps, batches(number), identities, number, validate), steps)
                if world.first:
                    if run:
                        write_run(run, progress, steps, identity)
                    if fallen := describe_collapse(progress.epochs):
                        log.warning(fallen)
                    report(progress.epochs[-1])
    rule = config.early_stopping
    if rule.enabled and rule.restore_best and progress.best:
        network.load_state_dict(progress.best)
    return TrainedNetwork(network.cpu().eval(), progress.epochs, best_epoch(progress.epochs, rule), ended)


def frames_of(seconds: float, spec: FeatureSpec) -> int:
    """Return the frames in so many seconds, at least one."""
    framing = next(iter(spec.modalities.values())).framing
    return max(1, round(seconds * framing.rate / framing.hop))


def train_epoch(
    steps: OptimizerSteps,
    batches: Iterable[Batch],
    identities: int,
    number: int,
    validate: Validate | None,
) -> Epoch:
    """Train on these batches of `identities` songs and validate; returns the same in every process."""
    network, config, world = steps.network, steps.train, steps.world
    began = time.monotonic()
    # The number of the epoch alone decides what is drawn in it, as it does for the batches.
    torch.manual_seed(int(np.random.SeedSequence((config.seed, number)).generate_state(1, np.uint64)[0]))
    network.train()
    share = learning_rate_share(number - 1, config)
    steps.set_rate(share)
    steps_log: list[tuple[float, float, list[float]]] = []
    with open_epoch_bar(identities, number, config.epochs, world.first) as progress:
        for batch in batches:
            steps_log.append(steps.accumulate(batch))
            if not math.isfinite(steps_log[-1][0]):
                raise TrainingError(
                    f"In epoch {number} the loss is no longer a number; try a lower train.lr (now {config.lr}), more "
                    f"train.warmup_epochs (now {config.warmup_epochs}), or train.use_amp=false."
                )
            progress.update(min(config.batch_identities, identities - progress.n))
        steps.step()
    network.eval()
    content = b""
    if world.first:
        losses, entropies, gates = zip(*steps_log, strict=True)
        epoch = Epoch(
            number=number,
            loss=float(np.mean(losses)),
            lr=config.lr * share,
            gate_entropy=float(np.mean(entropies)),
            gates=dict(zip(network.modalities, np.mean(gates, axis=0).tolist(), strict=True)),
            validation={name: float(value) for name, value in validate(network).items()} if validate else {},
            seconds=time.monotonic() - began,
        )
        content = json.dumps(asdict(epoch)).encode()
    return Epoch(**json.loads(world.broadcast(content)))


def write_run(run: Path, progress: TrainingProgress, steps: OptimizerSteps, identity: dict[str, object]) -> None:
    """Write state and log; TrainingError where that is impossible."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        write_state(run / STATE, progress, steps, identity)
        write_log(run / LOG, progress.epochs)
    except OSError as error:
        raise TrainingError(f"The run cannot be kept in {printable(run)} ({error.strerror}).") from error


def standardize(network: ResonanceNetwork, windows: WindowSet) -> None:
    """Set the networks' input standardisation to the means and deviations of (a sample of) the training windows.

    A backbone that brings its own, and so has no layer `standardize`, is left as it is.
    """
    rows = np.linspace(0, len(windows.song) - 1, min(SAMPLE, len(windows.song))).astype(np.intp)
    features = windows.rows(rows)
    for name in network.modalities:
        backbone = network.backbones[name]
        layer = getattr(backbone, "standardize", None)
        if not isinstance(layer, Standardize):
            continue
        values = torch.from_numpy(features[name])
        prepare = getattr(backbone, "prepare", None)
        if prepare is not None:
            values = prepare(values)
        bands = values.transpose(0, 1).flatten(1)
        layer.mean.copy_(bands.mean(dim=1))
        layer.deviation.copy_(bands.std(dim=1, correction=0).clamp(min=1e-3))
