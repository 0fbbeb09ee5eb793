"""The commands one after another, from a folder of music to a query, and killed at any moment."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

pytestmark = [pytest.mark.torch, pytest.mark.rest]
for name in ("torch", "optuna", "yaml"):
    pytest.importorskip(name)

from resonance_engine.cli import main
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.training.config.config_file import read_config
from resonance_engine.training.data.cache import SqliteCache
from resonance_engine.training.tuning.runs import Runs, read_hpo
from tests.paths import ROOT
from tests.training.synthetic_albums import SETTINGS, write_albums

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


SPACE = """
lr: {loguniform: [1.0e-3, 1.0e-2]}
temperature: {uniform: [0.05, 0.15]}
fusion_mode: [gated_add, gated_concat]
"""


LOSS = ["--set", "train.early_stopping.monitor=loss", "--set", "train.early_stopping.mode=min"]
LACKING = ["--device", "mps"]


@dataclass(frozen=True)
class Place:
    """A folder with a library, its cache and its runs."""

    folder: Path

    @property
    def runs(self) -> Runs:
        return Runs(self.folder / "runs")

    def settings(self, *more: str) -> list[str]:
        each = (*SETTINGS, f"data.root={self.folder / 'music'}", "train.early_stopping.monitor=map", *more)
        return [part for setting in each for part in ("--set", setting)]

    def precompute(self, *more: str) -> list[str]:
        return ["precompute", *self.settings(), "--cache_dir", str(self.folder / "cache"), "--processes", "1", *more]

    def search(self, trials: int, runs: str = "runs") -> list[str]:
        space = self.folder / "space.yaml"
        space.write_text(SPACE)
        return [
            "search", *self.settings(), "--cache_dir", str(self.folder / "cache"), "--runs_dir",
            str(self.folder / runs), "--space", str(space), "--trials", str(trials), "--proxy_songs", "12",
            "--proxy_epochs", "3", "--device", "cpu", "--processes", "1",
        ]  # fmt: skip

    def refine(self, epochs: int, topn: int, runs: str = "runs") -> list[str]:
        settings = self.settings(f"train.epochs={epochs}", "train.warmup_epochs=1")
        return [
            "refine", *settings, "--cache_dir", str(self.folder / "cache"), "--runs_dir", str(self.folder / runs),
            "--topn", str(topn), "--device", "cpu", "--processes", "1",
        ]  # fmt: skip


def log(run: Path) -> list[dict[str, str]]:
    """A run's rows, one for each epoch."""
    with (run / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def ran(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints that ends well."""
    status = main(arguments)
    shown = capsys.readouterr()
    assert status == 0, shown.err
    return shown.out


def test_a_library_is_listened_to_searched_and_trained_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = Place(tmp_path)
    write_albums(tmp_path / "music", artists=8)
    (tmp_path / "music" / "copy.flac").write_bytes((tmp_path / "music/Artist 1/Album 1/0.flac").read_bytes())
    (tmp_path / "music" / "broken.flac").write_bytes(b"no music")

    assert main(place.precompute()) == 0
    shown = capsys.readouterr()
    assert "24 songs" in shown.out
    assert "24 of them new, 1 file of the same sound as another, 1 failed" in shown.out
    assert re.search(r"^resonance: .*broken\.flac: ", shown.err, re.MULTILINE)

    searched = ran(place.search(3), capsys)
    findings = read_hpo(place.runs.hpo)
    assert findings is not None
    assert (findings.metric, findings.mode, findings.proxy) == ("map", "max", {"songs": 12, "epochs": 3})
    assert len(findings.trials) == 3
    values = [trial.value for trial in findings.trials]
    assert values == sorted(values, reverse=True)
    assert f"3 trials, best: trial {findings.trials[0].number} with map {values[0]:.4f}" in searched
    tried = {trial.number: trial.parameters for trial in findings.trials}
    assert tried[0] == {"train.lr": 0.003, "train.temperature": 0.05, "fusion.mode": "gated_add"}  # as in the settings
    assert all(1e-3 <= float(each["train.lr"]) <= 1e-2 for each in tried.values())
    assert "going on with a search of 3 trials" in ran(place.search(3), capsys)

    refined = ran(place.refine(epochs=2, topn=2), capsys)
    best = place.runs.best
    numbers = json.loads((best / "metrics.json").read_bytes())
    candidates = {f"refine-{trial.number}" for trial in findings.trials[:2]}
    assert {row["name"] for row in numbers["candidates"]} == candidates
    assert numbers["value"] == max(row["value"] for row in numbers["candidates"]) == numbers["metrics"]["map"]
    assert numbers["songs"] + numbers["held_out"] == 24
    assert "map on 6 held-out songs decided; segment recall is shown and decides nothing." in refined
    assert float(log(best)[numbers["epoch"] - 1]["map"]) == numbers["value"]
    config = read_config(best / "config.yaml")
    winner = next(trial for trial in findings.trials if numbers["name"] == f"refine-{trial.number}")
    assert (config.train.lr, config.fusion.mode) == (winner.parameters["train.lr"], winner.parameters["fusion.mode"])
    manifest = Encoder(best).manifest
    assert (manifest.id, manifest.spec, manifest.fusion) == (numbers["model"], config.spec, config.fusion.mode)

    again = ran(place.refine(epochs=2, topn=2), capsys)
    assert again.count("trained already") == 2
    assert "epoch 1/" not in again


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["precompute", "--set", "cache.backend=ram"], "With cache.backend ram nothing would be kept"),
        (["search", *LOSS], "cannot be compared by their loss"),
        (["search", "--space", "nowhere.yaml"], "nowhere.yaml is not there"),
        (["search", *LACKING], "The device mps was asked for"),
        (["refine", *LACKING], "The device mps was asked for"),
        (["refine", "--config", "nowhere.yaml"], "nowhere.yaml is not there"),
        (["precompute", "--set", "data.root=nowhere"], "nowhere is not a folder"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main(arguments) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert sentence in shown.err
    assert shown.err.count("\n") == 1


class Command:
    """A training command in a process of its own, as a user starts it."""

    def __init__(self, arguments: Sequence[str]) -> None:
        module = f"training.{arguments[0]}"
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments[1:]],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def finished(self) -> str:
        shown, errors = self.process.communicate(timeout=300)
        assert self.process.returncode == 0, errors
        return shown

    def killed_when(self, reached: Callable[[str], bool]) -> list[str]:
        """The lines until one is reached; then the process is gone, without a chance to say anything."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line.rstrip())
            if reached(line):
                break
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()
        assert self.process.returncode == -signal.SIGKILL
        return lines


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_documented_command_lines_lead_from_music_to_a_query(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_albums(tmp_path / "music", artists=10)
    best, cache, catalog = (str(tmp_path / name) for name in ("runs/best", "cache", "catalog"))
    onnx, settings = str(tmp_path / "export" / "model.onnx"), place.settings()
    Command(["features", *place.precompute()[1:]]).finished()
    Command(["train", "--mode", "search", *place.search(4)[1:]]).finished()
    Command(["train", "--mode", "refine", *place.refine(epochs=4, topn=2)[1:]]).finished()
    evaluated = Command(["evaluate", "--load", best, "--cache_dir", cache, *settings]).finished()
    assert "Same artist" in evaluated
    Command(["export", "--load", best, "--outdir", str(tmp_path / "export"), "--formats", "onnx"]).finished()
    timed = Command(
        ["onnx_eval", "--onnx", onnx, "--load", best, "--cache_dir", cache, "--timeit", "--runs", "50", "--batch", "1"]
    ).finished()
    assert "times as fast" in timed
    Command(["index_build", "--cache_dir", cache, "--load", best, "--out_dir", catalog, *settings]).finished()
    song = tmp_path / "music" / "Artist 3" / "Album 3" / "1.flac"
    for load in (best, str(tmp_path / "export")):
        options = f"--index_dir {catalog} --load {load} --backend auto --topk 5 --prf 5 --rerank mmr --lambda_div 0.3"
        query = Command(["query", "--audio", str(song), *options.split()]).finished()
        assert query.startswith("Top results:\n1. Artist 3 - Song 3.1  score=")
        assert query.count("score=") == 5


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_precompute_loses_nothing_but_the_songs_it_is_at_when_killed(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_albums(tmp_path / "music", artists=12, songs=5)
    spec = read_config(None, SETTINGS).spec
    command = Command(place.precompute())

    def kept() -> set[bytes]:
        cache = SqliteCache(tmp_path / "cache", spec)
        try:
            return cache.keys()
        finally:
            cache.close()

    while len(before := kept()) < 10:
        assert command.process.poll() is None
    command.process.send_signal(signal.SIGKILL)
    command.process.communicate()
    after = kept()
    assert before <= after
    assert len(after) < 60
    shown = Command(place.precompute()).finished()
    assert f"60 songs in {tmp_path / 'cache'}, {60 - len(after)} of them new" in shown
    cache = SqliteCache(tmp_path / "cache", spec)
    assert all(cache.windows(key) == len(cache.read(key)["timbre"]) == 3 for key in kept())
    cache.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_search_goes_on_as_if_it_had_not_been_killed(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_albums(tmp_path / "music", artists=8)
    Command(place.precompute()).finished()
    Command(place.search(7, "other")).finished()
    shown = Command(place.search(7)).killed_when(lambda line: line.startswith("trial 2: "))
    # The fourth trial has begun or not; the three that were reported are in the file already.
    before = read_hpo(place.runs.hpo)
    rest = Command(place.search(7)).finished()
    assert "going on with a search of 3 trials" in rest
    found, uninterrupted = read_hpo(place.runs.hpo), read_hpo(Runs(tmp_path / "other").hpo)
    assert before is not None
    assert found is not None
    assert uninterrupted is not None
    assert {trial.number for trial in before.trials} <= {0, 1, 2}
    assert [line for line in shown if line.startswith("trial")]
    assert [(trial.value, trial.parameters) for trial in found.trials] == [
        (trial.value, trial.parameters) for trial in uninterrupted.trials
    ]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_refine_goes_on_as_if_it_had_not_been_killed(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_albums(tmp_path / "music", artists=8)
    Command(place.precompute()).finished()
    Command(place.search(3)).finished()
    (tmp_path / "other" / "best").mkdir(parents=True)
    (tmp_path / "other" / "best" / "hpo.json").write_bytes(place.runs.hpo.read_bytes())
    Command(place.refine(5, 2, "other")).finished()
    first, second = (f"refine-{trial.number}" for trial in (read_hpo(place.runs.hpo) or pytest.fail("none")).trials[:2])
    Command(place.refine(5, 2)).killed_when(lambda line: line.startswith(f"{first} epoch 3/"))
    shown = Command(place.refine(5, 2)).killed_when(lambda line: line.startswith(f"{second} epoch 2/"))
    assert not any(line.startswith(f"{first} epoch {number}/") for line in shown for number in (1, 2, 3))
    last = Command(place.refine(5, 2)).finished()
    assert f"{first}: trained already" in last
    assert f"{second} epoch 2/" not in last
    other = Runs(tmp_path / "other")
    resumed, whole = (json.loads((runs.best / "metrics.json").read_bytes()) for runs in (place.runs, other))
    assert {**resumed, "seconds": 0} == {**whole, "seconds": 0}  # the model's id among them
    assert (place.runs.best / "ckpt.pt").read_bytes() == (other.best / "ckpt.pt").read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_refine_to_the_numbers_of_one(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_albums(tmp_path / "music", artists=8)
    Command(place.precompute()).finished()
    Command(place.refine(3, 1)).finished()
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, "-m", "training.refine", *place.refine(3, 1, "other")[1:]],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("refine epoch 3/3") == 1  # only the first of them speaks
    one, two = (
        json.loads((runs.best / "metrics.json").read_bytes()) for runs in (place.runs, Runs(tmp_path / "other"))
    )
    assert two["metrics"] == pytest.approx(one["metrics"], abs=0.05)
    alone, shared = ([float(row["loss"]) for row in log(tmp_path / name / "best")] for name in ("runs", "other"))
    assert shared == pytest.approx(alone, rel=0.01)
