"""Full trainings of candidates: who wins, what is kept, what is repeated."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest

pytestmark = pytest.mark.torch
for name in ("torch", "yaml"):
    pytest.importorskip(name)

from resonance_engine.errors import ConfigError, TrainingError
from resonance_engine.network.files import load_network
from resonance_engine.training.config.config_file import change, read_config
from resonance_engine.training.config.settings import Config
from resonance_engine.training.data.training_data import load_training_data
from resonance_engine.training.learning import loop
from resonance_engine.training.tuning import refine as refining
from resonance_engine.training.tuning.proxy import manifest_of, network_of
from resonance_engine.training.tuning.refine import (
    RefineOutcome,
    describe_plan,
    format_table,
    refine,
    select_candidates,
)
from resonance_engine.training.tuning.runs import Findings, FinishedTrial, Runs, write_hpo
from tests.training.synthetic_albums import SETTINGS, write_albums

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from resonance_engine.training.config.settings import TrainSettings
    from resonance_engine.training.data.training_data import TrainingData

HOPELESS = 1.0

TRIALS = [
    FinishedTrial(4, 0.9, {"train.lr": HOPELESS}),
    FinishedTrial(2, 0.8, {"train.lr": 1e-3}),
    FinishedTrial(0, 0.7, {"train.lr": 2e-3, "fusion.mode": "gated_concat"}),
]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = write_albums(tmp_path_factory.mktemp("music"), artists=6, songs=3, seconds=4)
    more = ["cache.backend=ram", "train.epochs=2", "train.warmup_epochs=1", "train.early_stopping.monitor=map"]
    return read_config(None, [*SETTINGS, f"data.root={folder}", *more])


@pytest.fixture(scope="module")
def heard(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingData]:
    with load_training_data(config, tmp_path_factory.mktemp("cache")) as made:
        yield made


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Runs after a search whose best trial fails when it is trained in full."""

    def train(network: Any, windows: Any, config: TrainSettings, augment: Any, **more: Any) -> Any:
        if config.lr == HOPELESS:
            raise TrainingError("In epoch 1 the loss is no longer a number.")
        return loop.train(network, windows, config, augment, **more)

    monkeypatch.setattr(refining, "train", train)
    runs = Runs(tmp_path / "runs")
    write_hpo(Findings("map", "max", {"songs": 9, "epochs": 1}, TRIALS), runs.hpo)
    return runs


def test_the_best_on_held_out_songs_wins_and_what_fails_is_left_out(
    heard: TrainingData, config: Config, runs: Runs
) -> None:
    told: list[str] = []
    outcomes = refine(heard, config, runs, topn=3, device="cpu", report=told.append)
    assert told[0].startswith("training in full the 3 best trials of ")
    assert any(re.match(r"refine-4: failed \(In epoch 1 the loss is no longer a number", line) for line in told)
    assert {outcome.name for outcome in outcomes} == {"refine-2", "refine-0"}
    assert outcomes[0].value >= outcomes[1].value
    network, manifest = load_network(runs.checkpoint)
    assert manifest.id == outcomes[0].model
    values = heard.validation()(network)
    assert values == pytest.approx(outcomes[0].metrics, abs=1e-6)
    assert not list(runs.folder.rglob("state.safetensors"))


def test_what_is_finished_is_repeated_only_with_other_settings_or_music(
    heard: TrainingData, config: Config, runs: Runs
) -> None:
    write_hpo(Findings("map", "max", {}, TRIALS[1:2]), runs.hpo)

    def lines(heard: TrainingData, config: Config) -> list[str]:
        told: list[str] = []
        refine(heard, config, runs, device="cpu", report=told.append)
        return told[1:]

    assert [line.partition(":")[0] for line in lines(heard, config)] == ["refine-2 epoch 1/2", "refine-2 epoch 2/2"]
    assert lines(heard, config) == ["refine-2: trained already"]
    moved = change(config, {"data.root": "elsewhere", "cache.preload_ram": False})
    assert lines(heard, moved) == ["refine-2: trained already"]
    other = change(config, {"train.temperature": 0.1})
    assert lines(heard, other)[0] == "refine-2: settings or music have changed, so it begins anew"
    assert lines(heard, other) == ["refine-2: trained already"]
    fewer = replace(heard, training=heard.training[1:], window_sets={})
    assert lines(fewer, other)[0] == "refine-2: settings or music have changed, so it begins anew"


def test_what_could_not_be_measured_is_left_out(
    config: Config, runs: Runs, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Songs of one window have no other to find."""
    write_hpo(Findings("map", "max", {}, TRIALS[1:2]), runs.hpo)
    short = change(config, {"data.segment.segments_per_song": 1})
    with load_training_data(short, tmp_path_factory.mktemp("cache")) as heard:
        (outcome,) = refine(heard, short, runs, device="cpu")
        assert outcome.metrics.keys() >= {"map", "recall@5"}
        assert "segment_recall" not in outcome.metrics
        assert "segment_recall" not in format_table([outcome])[0]
        assert refine(heard, short, runs, device="cpu") == [outcome]


def test_when_every_candidate_fails_nothing_is_kept(heard: TrainingData, config: Config, runs: Runs) -> None:
    write_hpo(Findings("map", "max", {}, [TRIALS[0], replace(TRIALS[0], number=5)]), runs.hpo)
    with pytest.raises(TrainingError, match="No candidate could be trained"):
        refine(heard, config, runs, device="cpu")
    write_hpo(Findings("map", "max", {}, TRIALS[:1]), runs.hpo)
    with pytest.raises(TrainingError, match="the loss is no longer a number"):
        refine(heard, config, runs, device="cpu")
    assert not runs.checkpoint.exists()


def test_a_search_of_settings_that_there_are_not_is_named(heard: TrainingData, config: Config, runs: Runs) -> None:
    write_hpo(Findings("map", "max", {}, [replace(TRIALS[0], parameters={"train.speed": 1})]), runs.hpo)
    with pytest.raises(ConfigError, match=r"hpo\.json cannot be used, run `search` again: train\.speed is no setting"):
        refine(heard, config, runs, device="cpu")


@pytest.mark.parametrize(("topn", "said"), [(1, "training in full the best trial of"), (2, "the 2 best trials of")])
def test_the_plan_in_words(runs: Runs, topn: int, said: str) -> None:
    assert said in describe_plan(select_candidates(Config(), Findings("map", "max", {}, TRIALS), topn), runs)


def test_losses_of_different_settings_are_not_compared(heard: TrainingData, config: Config, runs: Runs) -> None:
    by_loss = change(config, {"train.early_stopping.monitor": "loss", "train.early_stopping.mode": "min"})
    with pytest.raises(ConfigError, match="cannot be compared by their loss"):
        refine(heard, by_loss, runs, topn=2, device="cpu")


def test_without_restoring_the_best_epoch_the_numbers_are_those_of_the_last(
    heard: TrainingData, config: Config, runs: Runs
) -> None:
    runs.hpo.unlink()
    last = change(config, {"train.early_stopping.restore_best": False, "train.epochs": 3})
    told: list[str] = []
    (outcome,) = refine(heard, last, runs, device="cpu", report=told.append)
    assert "names no trials, so the settings are trained as they are; `search` finds better" in told[0]
    assert (outcome.epoch, outcome.epochs, outcome.ended) == (3, 3, "complete")
    assert heard.validation()(load_network(runs.checkpoint)[0]) == pytest.approx(outcome.metrics, abs=1e-6)


@pytest.mark.parametrize(("topn", "names"), [(1, ["refine-4"]), (2, ["refine-4", "refine-2"]), (9, None)])
def test_candidates_are_the_first_trials_of_a_search(topn: int, names: list[str] | None) -> None:
    found = select_candidates(Config(), Findings("map", "max", {}, TRIALS), topn)
    assert [each.name for each in found] == (names or ["refine-4", "refine-2", "refine-0"])
    assert found[0].config.train.lr == HOPELESS


@pytest.mark.parametrize("findings", [None, Findings("map", "max", {}, [])])
def test_without_trials_the_settings_are_the_candidate(findings: Findings | None) -> None:
    assert [(each.name, each.config) for each in select_candidates(Config(), findings, 5)] == [("refine", Config())]


def outcome(name: str, value: float, segment_recall: float) -> RefineOutcome:
    metrics = {"map": value, "recall@1": 0.25, "segment_recall": segment_recall}
    return RefineOutcome(name, {}, "map", "max", value, 3, 12, "complete", metrics, 0.9, {}, 61.24, 80, 20, "0" * 16)


def test_the_table_has_a_row_for_each_candidate_and_says_what_decided() -> None:
    assert format_table([outcome("refine-12", 0.5, 0.7), outcome("refine-3", 0.25, 0.9)]) == [
        "candidate            map       recall@1 segment_recall best epoch   seconds",
        "refine-12         0.5000         0.2500         0.7000       3/12      61.2",
        "refine-3          0.2500         0.2500         0.9000       3/12      61.2",
        "map on 20 held-out songs decided; segment recall is shown and decides nothing.",
    ]


def test_a_network_is_what_its_settings_and_its_seed_say() -> None:
    config = change(Config(), {"fusion.mode": "gated_concat", "fusion.embed_dim": 16, "model.timbre": "residual"})
    manifest = manifest_of(config, "mine")
    assert (manifest.name, manifest.fusion, manifest.dimensions) == ("mine", "gated_concat", 16)
    assert (manifest.spec, manifest.backbones) == (config.spec, {"timbre": "residual"})
    ids = [
        manifest.seal(weights.detach().numpy().tobytes() for weights in network_of(each).parameters()).id
        for each in (config, config, change(config, {"train.seed": 1}))
    ]
    assert ids[0] == ids[1] != ids[2]


def test_the_material_parts_songs_and_keeps_windows_when_asked(heard: TrainingData, config: Config) -> None:
    assert sorted([*heard.training, *heard.held_out]) == list(range(18))
    artists = [{heard.songs[song].artist for song in side} for side in (heard.training, heard.held_out)]
    assert not artists[0] & artists[1]
    assert len(heard.windows(heard.training)) == len(heard.training)
    assert heard.windows(heard.training) is not heard.windows(heard.training)
    reusing = replace(heard, config=change(config, {"cache.reuse_ram_across_trials": True}), window_sets={})
    assert (
        reusing.windows(reusing.training) is reusing.windows(reusing.training) is not reusing.windows(reusing.held_out)
    )


def test_metrics_are_plain_numbers(heard: TrainingData, config: Config, runs: Runs) -> None:
    write_hpo(Findings("map", "max", {}, TRIALS[1:2]), runs.hpo)
    (found,) = refine(heard, config, runs, device="cpu")
    written = json.loads((runs.best / "metrics.json").read_bytes())
    assert {key: written[key] for key in asdict(found)} == asdict(found)
