"""Train the best settings of a search in full, and keep the winner on the held-out songs.

The number that early stopping monitors decides, on the songs that no candidate is trained on.
"""

from __future__ import annotations

import math
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from resonance_engine.errors import ConfigError, ResonanceError, TrainingError, printable
from resonance_engine.network.files import save_network
from resonance_engine.records import parse_record
from resonance_engine.training.config.config_file import change, to_yaml
from resonance_engine.training.learning.device import join, local_rank
from resonance_engine.training.learning.device import select_device as device_named
from resonance_engine.training.learning.epochs import monitored_value
from resonance_engine.training.learning.loop import LOG, STATE, train
from resonance_engine.training.tuning.proxy import check_comparable, comparable_settings, manifest_of, network_of
from resonance_engine.training.tuning.runs import (
    CONFIG,
    METRICS,
    WEIGHTS,
    Setting,
    read_hpo,
    read_json,
    suggest_remedy,
    write_file,
    write_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from resonance_engine.training.config.settings import Config
    from resonance_engine.training.data.training_data import TrainingData
    from resonance_engine.training.learning.device import World
    from resonance_engine.training.learning.epochs import Epoch
    from resonance_engine.training.learning.loop import TrainedNetwork
    from resonance_engine.training.tuning.runs import Findings, Runs

    Report = Callable[[str], None]

IDENTITY = "belongs.json"
BEST_POSSIBLE = 1.0  # of all numbers that are better when they are larger


@dataclass(frozen=True)
class RefineCandidate:
    """Settings to train in full: those of the search's trial `name`, or the given ones as they are."""

    name: str
    parameters: dict[str, Setting]
    config: Config


@dataclass(frozen=True)
class RefineOutcome:
    """Result of a full training.

    `value` is the `monitor`ed number of its kept weights, from `epoch` of `epochs`; `metrics` are all finite numbers of
    that epoch; `ended` is the reason why it ended, and `model` the weights' id.
    """

    name: str
    parameters: dict[str, Setting]
    monitor: str
    mode: str
    value: float
    epoch: int
    epochs: int
    ended: str
    metrics: dict[str, float]
    gate_entropy: float
    gates: dict[str, float]
    seconds: float
    songs: int
    held_out: int
    model: str


def refine(
    data: TrainingData,
    config: Config,
    runs: Runs,
    topn: int = 5,
    device: str = "auto",
    report: Report = lambda _: None,
) -> list[RefineOutcome]:
    """Train the `topn` best trials of `runs.hpo` in full, or the settings as they are where nothing was searched.

    Returns the outcomes, the winner first, whose weights, settings, log and numbers are in `runs.best` then. A
    candidate whose training fails is reported and left out. Trainings that were stopped resume, finished ones are not
    repeated, unless settings or music have changed. Under `torchrun` the processes share the work, and only the
    first has outcomes. Raises TrainingError when nothing could be trained, ConfigError when outcomes could not be
    compared.
    """
    world = join(device_named(device, local_rank()))
    note = report if world.first else lambda _: None
    try:
        candidates = select_candidates(config, read_hpo(runs.hpo), topn)
    except ConfigError as error:
        raise ConfigError(f"{printable(runs.hpo)} cannot be used, run `search` again: {error}") from error
    note(describe_plan(candidates, runs))
    if len(candidates) > 1:
        check_comparable(config)

    def attempt(candidate: RefineCandidate) -> RefineOutcome | None:
        try:
            return train_candidate(data, candidate, runs.trial(candidate.name), world, note)
        except TrainingError as error:
            if len(candidates) == 1:
                raise
            note(f"{candidate.name}: failed ({error})")
            return None

    outcomes = [outcome for outcome in map(attempt, candidates) if outcome]
    if not world.first:
        return []
    if not outcomes:
        raise TrainingError("No candidate could be trained; see the lines above.")
    outcomes.sort(key=lambda each: each.value, reverse=outcomes[0].mode == "max")
    publish_winner(outcomes, runs)
    if outcomes[0].value >= BEST_POSSIBLE and outcomes[0].mode == "max":
        note(
            f"{outcomes[0].monitor} cannot rise any further, so early stopping had nothing to go by; "
            f"{suggest_remedy(outcomes[0].monitor)}"
        )
    return outcomes


def describe_plan(candidates: list[RefineCandidate], runs: Runs) -> str:
    if candidates[0].parameters:
        which = "best trial" if len(candidates) == 1 else f"{len(candidates)} best trials"
        return f"training in full the {which} of {printable(runs.hpo)}"
    return f"{printable(runs.hpo)} names no trials, so the settings are trained as they are; `search` finds better"


def select_candidates(config: Config, findings: Findings | None, topn: int) -> list[RefineCandidate]:
    trials = findings.trials[:topn] if findings else []
    candidates = [
        RefineCandidate(f"refine-{each.number}", each.parameters, change(config, each.parameters)) for each in trials
    ]
    return candidates or [RefineCandidate("refine", {}, config)]


def train_candidate(
    data: TrainingData, candidate: RefineCandidate, folder: Path, world: World, report: Report
) -> RefineOutcome | None:
    """Train a candidate in its folder, or read its earlier outcome; None in all processes but the first."""
    identity: dict[str, object] = {"settings": comparable_settings(candidate.config), "music": data.digest}
    earlier = read_earlier(folder, identity, report) if world.first else None
    if world.broadcast(b"done" if earlier else b""):
        return earlier
    stopping = candidate.config.train.early_stopping

    def note(epoch: Epoch) -> None:
        value = monitored_value(epoch, stopping.monitor)
        report(
            f"{candidate.name} epoch {epoch.number}/{candidate.config.train.epochs}: loss {epoch.loss:.3f}, "
            f"{stopping.monitor} {value:.4f}, gate entropy {epoch.gate_entropy:.3f}, "
            f"{epoch.seconds:.1f} s"
        )

    trained = train(
        network_of(candidate.config),
        data.windows(data.training),
        candidate.config.train,
        candidate.config.augment,
        device=world.device.type,
        validate=data.validation(),
        run=folder,
        report=note,
    )
    return save_outcome(trained, data, candidate, folder) if world.first else None


def read_earlier(folder: Path, identity: dict[str, object], report: Report) -> RefineOutcome | None:
    """Read the outcome of a finished training in a folder, which is emptied if that was another training."""
    before = read_json(folder / IDENTITY)
    if before == identity and (folder / WEIGHTS).exists():
        with suppress(ValueError):
            outcome = parse_record(RefineOutcome, read_json(folder / METRICS), "it", require_all=True)
            report(f"{folder.name}: trained already")
            return outcome
    if before is not None and before != identity:
        report(f"{folder.name}: settings or music have changed, so it begins anew")
        shutil.rmtree(folder, ignore_errors=True)
    write_json(identity, folder / IDENTITY)
    return None


def save_outcome(
    trained: TrainedNetwork, data: TrainingData, candidate: RefineCandidate, folder: Path
) -> RefineOutcome:
    """Write a finished training's weights, settings and numbers beside its log."""
    stopping = candidate.config.train.early_stopping
    restored = stopping.enabled and stopping.restore_best and trained.best is not None
    epoch = trained.best if restored else trained.epochs[-1]
    assert epoch is not None
    value = monitored_value(epoch, stopping.monitor)
    if not math.isfinite(value):
        raise TrainingError(f"{stopping.monitor} is {value}, so it cannot be compared.")
    write_file(folder / CONFIG, to_yaml(candidate.config).encode())
    sealed = save_network(trained.network, manifest_of(candidate.config), folder / WEIGHTS)
    outcome = RefineOutcome(
        name=candidate.name,
        parameters=candidate.parameters,
        monitor=stopping.monitor,
        mode=stopping.mode,
        value=value,
        epoch=epoch.number,
        epochs=len(trained.epochs),
        ended=trained.ended,
        metrics={name: number for name, number in epoch.validation.items() if math.isfinite(number)},
        gate_entropy=epoch.gate_entropy,
        gates=epoch.gates,
        seconds=round(sum(each.seconds for each in trained.epochs), 1),
        songs=len(data.training),
        held_out=len(data.held_out),
        model=sealed.id,
    )
    write_json(asdict(outcome), folder / METRICS)
    (folder / STATE).unlink(missing_ok=True)
    return outcome


def publish_winner(outcomes: list[RefineOutcome], runs: Runs) -> None:
    """Copy the winner's files to `runs.best`, its weights last, with a row per candidate in its numbers."""
    winner = outcomes[0]
    folder = runs.trial(winner.name)
    rows = [{"name": each.name, "value": each.value, "metrics": each.metrics} for each in outcomes]
    try:
        for name in (LOG, CONFIG, WEIGHTS):
            content = (folder / name).read_bytes()
            write_file(runs.best / name, content)
    except OSError as error:
        raise ResonanceError(
            f"{printable(folder)} is incomplete ({error.strerror}); remove it and refine again."
        ) from error
    write_json({**asdict(winner), "candidates": rows}, runs.best / METRICS)


def format_table(outcomes: list[RefineOutcome]) -> list[str]:
    """Format a line per candidate, the winner first, and the deciding number."""
    monitor = outcomes[0].monitor
    names = list(dict.fromkeys([monitor, "recall@1", "recall@5", "recall@10", "mrr", "map", "segment_recall"]))
    names = [name for name in names if name == monitor or name in outcomes[0].metrics]
    width = max(len("candidate"), *(len(each.name) for each in outcomes))
    lines = [" ".join([f"{'candidate':<{width}}", *(f"{name:>14}" for name in names), "best epoch", "  seconds"])]
    for outcome in outcomes:
        values = {**outcome.metrics, monitor: outcome.value}
        numbers = (f"{values.get(name, math.nan):>14.4f}" for name in names)
        epochs = f"{outcome.epoch}/{outcome.epochs}"
        lines.append(" ".join([f"{outcome.name:<{width}}", *numbers, f"{epochs:>10}", f"{outcome.seconds:>9.1f}"]))
    decided = (
        f"{monitor} on {outcomes[0].held_out} held-out songs decided; segment recall is shown and decides nothing."
    )
    return [*lines, decided]
