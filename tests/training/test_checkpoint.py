"""A training run that is killed goes on as if nothing had happened; what is no state of it is refused."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch
from safetensors.torch import load, save

from resonance_engine.errors import TrainingError
from resonance_engine.training.learning.loop import LOG, STATE, train
from tests.paths import ROOT
from tests.tiny_networks import tiny_network
from tests.training import training_process
from tests.training.window_sets import make_window_set

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.training.learning.loop import TrainedNetwork


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainedNetwork]:
    """A run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, training_process.run(folder)


def same_weights(first: TrainedNetwork, second: TrainedNetwork) -> bool:
    others = second.network.state_dict()
    return all(torch.equal(values, others[name]) for name, values in first.network.state_dict().items())


def test_a_killed_run_goes_on_to_the_same_result(tmp_path: Path, finished: tuple[Path, TrainedNetwork]) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.training.training_process", str(tmp_path), "3"], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"hanging\n"
        child.kill()
        child.wait()
    assert len((tmp_path / LOG).read_text().splitlines()) == 1 + 2
    resumed = training_process.run(tmp_path)
    assert resumed.epochs == finished[1].epochs
    assert same_weights(resumed, finished[1])
    assert resumed.best == finished[1].best
    states = [load((folder / STATE).read_bytes()) for folder in (tmp_path, finished[0])]
    assert all(torch.equal(values, states[1][name]) for name, values in states[0].items())


def test_a_finished_run_is_not_run_again(
    finished: tuple[Path, TrainedNetwork], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resonance_engine.training.learning.loop.train_epoch", None)
    again = training_process.run(finished[0])
    assert (again.epochs, again.ended) == (finished[1].epochs, "complete")
    assert same_weights(again, finished[1])


def test_the_log_has_a_row_per_epoch(finished: tuple[Path, TrainedNetwork]) -> None:
    folder, trained = finished
    with (folder / LOG).open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = ["epoch", "loss", "lr", "gate_entropy", "gate_timbre", "gate_harmony", "gate_rhythm", "seconds", "map"]
    assert list(rows[0]) == names
    assert [float(row["loss"]) for row in rows] == [epoch.loss for epoch in trained.epochs]
    assert [float(row["map"]) for row in rows] == list(training_process.QUALITY)


def resume(folder: Path, **changes: Any) -> TrainedNetwork:
    """The same run with other arguments."""
    arguments: dict[str, Any] = {
        "network": tiny_network(),
        "windows": make_window_set(13),
        "config": training_process.SETTINGS,
        "augment": training_process.AUGMENT,
        "standardized": False,
        **changes,
    }
    return train(**arguments, device="cpu", validate=training_process.validation(), run=folder)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"config": replace(training_process.SETTINGS, lr=0.5)}, "train.lr is 0.001 there and 0.5 now"),
        ({"augment": replace(training_process.AUGMENT, mix=0.0)}, "augment.mix is 0.2 there and 0.0 now"),
        ({"windows": make_window_set(12)}, "the music differs"),
        ({"windows": make_window_set(13, windows=2)}, "the music differs"),
        ({"network": tiny_network(seed=1)}, "the network it started from differs"),
        ({"network": tiny_network("gated_concat")}, "the network it started from differs"),
        ({"standardized": True}, "standardized differs"),
        (
            {"config": replace(training_process.SETTINGS, lr=1.0, epochs=9, seed=4, margin=1.0)},
            "; and 1 more. Delete it",
        ),
    ],
)
def test_a_state_of_another_training_is_refused(
    finished: tuple[Path, TrainedNetwork], changes: dict[str, Any], told: str
) -> None:
    before = (finished[0] / STATE).read_bytes()
    with pytest.raises(TrainingError, match="belongs to another training") as caught:
        resume(finished[0], **changes)
    assert told in str(caught.value)
    assert (finished[0] / STATE).read_bytes() == before


def test_gradient_checkpointing_may_be_switched_on_the_way(
    tmp_path: Path, finished: tuple[Path, TrainedNetwork]
) -> None:
    shutil.copy(finished[0] / STATE, tmp_path)
    again = resume(tmp_path, config=replace(training_process.SETTINGS, gradient_checkpointing=False))
    assert again.epochs == finished[1].epochs


def without(content: bytes, name: str) -> bytes:
    tensors = load(content)
    del tensors[name]
    return save(tensors, metadata=metadata(content))


def metadata(content: bytes) -> dict[str, str]:
    length = int.from_bytes(content[:8], "little")
    found: dict[str, str] = json.loads(content[8 : 8 + length])["__metadata__"]
    return found


DAMAGE: dict[str, Any] = {
    "empty": lambda _: b"",
    "no state": lambda _: b"not tensors at all",
    "cut short": lambda content: content[: len(content) // 2],
    "another file": lambda _: save({"weights.x": torch.zeros(3)}),
    "a part with another name": lambda content: save({"x": torch.zeros(3)}, metadata=metadata(content)),
    "no weight": lambda content: without(content, "weights.fusion.gates.bias"),
    "no best weight": lambda content: without(content, "best.fusion.gates.bias"),
    "words for numbers": lambda content: save(
        load(content), metadata={"training": metadata(content)["training"].replace('"number"', '"figure"')}
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_state_is_one_sentence(tmp_path: Path, finished: tuple[Path, TrainedNetwork], damage: str) -> None:
    path = tmp_path / STATE
    path.write_bytes(DAMAGE[damage]((finished[0] / STATE).read_bytes()))
    with pytest.raises(TrainingError, match="is not a readable state of a training") as caught:
        resume(tmp_path)
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith("; delete it to begin the training anew.")
    assert "\n" not in str(caught.value)


def test_a_folder_for_the_state_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / STATE).mkdir()
    with pytest.raises(TrainingError, match="is not a readable state of a training"):
        resume(tmp_path)


def test_a_run_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match=r"cannot be kept in .*/file/run \(Not a directory\)"):
        resume(tmp_path / "file" / "run")
