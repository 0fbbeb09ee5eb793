"""A search over settings, with something quick in the place of a training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.torch
for name in ("torch", "optuna"):
    pytest.importorskip(name)

from optuna.distributions import CategoricalDistribution, FloatDistribution

from resonance_engine.errors import ResonanceError, TrainingError
from resonance_engine.training.config.config_file import change
from resonance_engine.training.config.settings import Config
from resonance_engine.training.tuning.proxy import choose_proxy_songs, shorten
from resonance_engine.training.tuning.proxy_search import Effort, search
from resonance_engine.training.tuning.runs import Findings, FinishedTrial, Runs, read_hpo, suggest_remedy, write_hpo

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.training.tuning.proxy import Judge
    from resonance_engine.training.tuning.study import Space

SPACE: Space = {
    "train.lr": FloatDistribution(1e-5, 1e-3, log=True),
    "train.temperature": FloatDistribution(0.03, 0.15),
    "train.batch_identities": CategoricalDistribution((64, 96, 128)),
    "fusion.mode": CategoricalDistribution(("gated_add", "gated_concat")),
}


class Landscape:
    """Measures how near the logarithm of the learning rate is to that of 1e-4, and remembers what it was asked."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self.asked: list[Config] = []
        self.known: list[int] = []  # trials in the file when each one began

    def __call__(self, config: Config, _: Path, judge: Judge) -> float:
        self.asked.append(config)
        findings = read_hpo(self.runs.hpo)
        self.known.append(len(findings.trials) if findings else 0)
        value = 1 - abs(math.log10(config.train.lr) + 4)
        for epoch in range(1, config.train.epochs + 1):
            judge(epoch, value)
        return value


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")


def test_trials_begin_with_the_given_settings_and_are_kept_best_first_as_they_finish(runs: Runs) -> None:
    told: list[str] = []
    measure = Landscape(runs)
    findings = search(Config(), SPACE, Effort(trials=4, songs=10, epochs=6), runs, measure, report=told.append)
    assert read_hpo(runs.hpo) == findings
    assert (findings.metric, findings.mode, findings.proxy) == ("recall@5", "max", {"songs": 10, "epochs": 6})
    assert [trial.value for trial in findings.trials] == sorted(
        (trial.value for trial in findings.trials), reverse=True
    )
    first = next(trial for trial in findings.trials if trial.number == 0)
    assert first.parameters == {
        "train.lr": 1.6e-4, "train.temperature": 0.05, "train.batch_identities": 96, "fusion.mode": "gated_add",
    }  # fmt: skip
    assert measure.known == [0, 1, 2, 3]
    assert [config.train.epochs for config in measure.asked] == [6] * 4
    assert told[0].startswith("trial 0: recall@5 0.7959, train.lr=0.00016, train.temperature=0.05, ")
    for trial in findings.trials:
        assert change(shorten(Config(), 6), trial.parameters) in measure.asked


def test_what_is_tried_stays_within_the_space(runs: Runs) -> None:
    measure = Landscape(runs)
    search(Config(), SPACE, Effort(trials=25, epochs=1), runs, measure)
    rates = [config.train.lr for config in measure.asked]
    assert all(1e-5 <= rate <= 1e-3 for rate in rates)
    assert sum(rate < 1e-4 for rate in rates) >= 5  # every decade alike
    assert {config.train.batch_identities for config in measure.asked} == {64, 96, 128}
    assert {config.fusion.mode for config in measure.asked} == {"gated_add", "gated_concat"}
    assert all(0.03 <= config.train.temperature <= 0.15 for config in measure.asked)


def test_a_setting_outside_the_space_is_drawn_in_the_first_trial_too(runs: Runs) -> None:
    measure = Landscape(runs)
    search(change(Config(), {"train.lr": 0.01}), SPACE, Effort(trials=1, epochs=1), runs, measure)
    assert 1e-5 <= measure.asked[0].train.lr <= 1e-3
    assert measure.asked[0].train.temperature == 0.05


def test_trials_that_fail_are_told_and_do_not_end_the_search(runs: Runs) -> None:
    told: list[str] = []
    landscape = Landscape(runs)

    def measure(config: Config, folder: Path, judge: Judge) -> float:
        value = landscape(config, folder, judge)
        if len(landscape.asked) in (2, 3, 4):
            raise TrainingError("In epoch 1 the loss is no longer a number.")
        return math.nan if len(landscape.asked) == 5 else value

    findings = search(Config(), SPACE, Effort(trials=7, epochs=1), runs, measure, report=told.append)
    assert [trial.number for trial in sorted(findings.trials, key=lambda trial: trial.number)] == [0, 5, 6]
    assert "trial 1: failed (In epoch 1 the loss is no longer a number.), " in told[1]
    assert "trial 4: failed (The monitored value is nan.), " in told[4]


def test_a_search_in_which_everything_fails_ends_and_says_why(runs: Runs) -> None:
    def measure(*_: object) -> float:
        raise TrainingError("Training ran out of memory.")

    with pytest.raises(TrainingError, match="All 3 trials failed, the last because: Training ran out of memory"):
        search(Config(), SPACE, Effort(trials=9, epochs=1), runs, measure)
    assert read_hpo(runs.hpo) is None


def test_trials_that_fall_behind_are_given_up(runs: Runs) -> None:
    told: list[str] = []
    values = iter([0.5, 0.5, 0.5, 0.5, 0.1])
    epochs: list[int] = []

    def measure(_: Config, __: Path, judge: Judge) -> float:
        value = next(values)
        for epoch in range(1, 7):
            epochs.append(epoch)
            judge(epoch, value)
        return value

    search(Config(), SPACE, Effort(trials=5, epochs=6), runs, measure, report=told.append)
    assert told[4].startswith("trial 4: given up after epoch 3 at recall@5 0.1000, ")
    assert epochs[-1] == 3
    assert "4 trials are equally good, so recall@5 cannot tell them apart" in told[5]


@pytest.mark.parametrize(
    ("metric", "said"), [("recall@5", "monitor=map is finer"), ("map", "more held-out songs of known artists would")]
)
def test_the_finest_number_is_not_recommended_in_place_of_itself(metric: str, said: str) -> None:
    assert said in suggest_remedy(metric)
    assert (metric == "map") == ("finer" not in suggest_remedy(metric))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()], ids=["interrupt", "memory"])
def test_a_search_that_is_stopped_goes_on_with_the_trial_that_it_was_at(runs: Runs, error: BaseException) -> None:
    told: list[str] = []
    landscape = Landscape(runs)
    effort = Effort(trials=5, epochs=1)

    def stopped(config: Config, folder: Path, judge: Judge) -> float:
        value = landscape(config, folder, judge)
        if len(landscape.asked) == 3:
            raise error
        return value

    with pytest.raises(type(error)):
        search(Config(), SPACE, effort, runs, stopped)
    found = search(Config(), SPACE, effort, runs, landscape, report=told.append)
    assert told[0] == "going on with a search of 2 trials"
    assert landscape.asked[2] == landscape.asked[3]
    uninterrupted = search(Config(), SPACE, effort, Runs(runs.folder / "other"), Landscape(runs))
    assert [trial.parameters for trial in found.trials] == [trial.parameters for trial in uninterrupted.trials]
    assert search(Config(), SPACE, effort, runs, stopped) == found  # nothing is left to do


@pytest.mark.parametrize(
    ("config", "space", "effort", "music"),
    [
        pytest.param(change(Config(), {"train.epochs": 70}), SPACE, Effort(2, epochs=1), "a", id="same short training"),
        pytest.param(change(Config(), {"cache.preload_ram": False}), SPACE, Effort(2, epochs=1), "a", id="cache"),
        pytest.param(change(Config(), {"data.root": "elsewhere"}), SPACE, Effort(2, epochs=1), "a", id="other folder"),
        pytest.param(Config(), SPACE, Effort(3, epochs=1, minutes=9), "a", id="more trials"),
    ],
)
def test_what_does_not_change_the_trials_leaves_them_in_one_study(
    runs: Runs, config: Config, space: Space, effort: Effort, music: str
) -> None:
    search(Config(), SPACE, Effort(2, epochs=1), runs, Landscape(runs), "a")
    search(config, space, effort, runs, measure := Landscape(runs), music)
    assert len(measure.asked) == effort.trials - 2


@pytest.mark.parametrize(
    ("config", "space", "effort", "music"),
    [
        pytest.param(change(Config(), {"train.margin": 0.3}), SPACE, Effort(2, epochs=1), "a", id="settings"),
        pytest.param(Config(), {"train.lr": FloatDistribution(1e-5, 1e-3)}, Effort(2, epochs=1), "a", id="space"),
        pytest.param(Config(), SPACE, Effort(2, epochs=2), "a", id="epochs"),
        pytest.param(Config(), SPACE, Effort(2, songs=9, epochs=1), "a", id="songs"),
        pytest.param(Config(), SPACE, Effort(2, epochs=1), "b", id="music"),
    ],
)
def test_trials_that_cannot_be_compared_are_not(
    runs: Runs, config: Config, space: Space, effort: Effort, music: str
) -> None:
    search(Config(), SPACE, Effort(2, epochs=1), runs, Landscape(runs), "a")
    findings = search(config, space, effort, runs, measure := Landscape(runs), music)
    assert len(measure.asked) == 2
    assert {trial.number for trial in findings.trials} == {0, 1}


def test_no_trial_begins_when_the_time_is_over(runs: Runs, tmp_path: Path) -> None:
    effort, database = Effort(trials=3, epochs=1, minutes=0), f"sqlite:///{tmp_path}/study.db"
    findings = search(Config(), SPACE, effort, runs, measure := Landscape(runs), storage=database)
    assert measure.asked == findings.trials == []


def test_a_search_that_finds_nothing_leaves_what_an_earlier_one_found(runs: Runs) -> None:
    found = search(Config(), SPACE, Effort(trials=2, epochs=1), runs, Landscape(runs))

    def lacking(_: Config, __: Path, ___: Judge) -> float:
        raise TrainingError("The device is not there.")

    with pytest.raises(TrainingError, match="All 3 trials failed"):
        search(Config(), SPACE, Effort(trials=3, epochs=1), runs, lacking, music="other")
    assert read_hpo(runs.hpo) == found


def test_lower_is_better_where_the_settings_say_so(runs: Runs) -> None:
    config = change(Config(), {"train.early_stopping.monitor": "loss", "train.early_stopping.mode": "min"})
    findings = search(config, SPACE, Effort(trials=12, epochs=1), runs, Landscape(runs))
    values = [trial.value for trial in findings.trials]
    assert values == sorted(values)


@given(
    st.lists(st.tuples(st.binary(min_size=4, max_size=4), st.sampled_from("abcdefgh")), unique_by=lambda x: x[0]),
    st.integers(1, 40),
    st.randoms(use_true_random=False),
)
def test_a_proxy_is_whole_groups_and_the_same_songs_on_every_machine(songs, count, random) -> None:  # type: ignore[no-untyped-def]
    keys, groups = [key for key, _ in songs], [group for _, group in songs]
    chosen = choose_proxy_songs(keys, groups, count)
    assert len(chosen) == min(count, len(songs))
    assert chosen == sorted(set(chosen))
    touched = {groups[place] for place in chosen}
    cut = [group for group in touched if {i for i, each in enumerate(groups) if each == group} - set(chosen)]
    assert len(cut) <= 1
    random.shuffle(songs)
    elsewhere = choose_proxy_songs([key for key, _ in songs], [group for _, group in songs], count)
    assert {songs[place][0] for place in elsewhere} == {keys[place] for place in chosen}


@pytest.mark.parametrize(
    ("epochs", "warmup", "short", "expected"), [(140, 10, 14, 1), (140, 10, 140, 10), (20, 10, 4, 2), (5, 5, 1, 0)]
)
def test_a_short_training_warms_up_for_the_same_share(epochs: int, warmup: int, short: int, expected: int) -> None:
    config = change(Config(), {"train.epochs": epochs, "train.warmup_epochs": warmup})
    made = shorten(config, short)
    assert (made.train.epochs, made.train.warmup_epochs) == (short, expected)


def test_findings_are_read_as_they_were_written(runs: Runs) -> None:
    findings = Findings("map", "max", {"songs": 4, "epochs": 2}, [FinishedTrial(3, 0.5, {"train.lr": 1e-3})])
    assert read_hpo(runs.hpo) is None
    write_hpo(findings, runs.hpo)
    assert read_hpo(runs.hpo) == findings


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is damaged"),
        ("[]", "is damaged"),
        ("{}", "is damaged"),
        ('{"format": 2}', "has format 2, this program reads 1"),
        ('{"format": 1, "metric": "map", "mode": "max", "proxy": {}}', "is damaged"),
        ('{"format": 1, "metric": "map", "mode": "max", "proxy": {}, "trials": [1]}', "is damaged"),
        (
            '{"format": 1, "metric": "map", "mode": "max", "proxy": {}, '
            '"trials": [{"number": 0, "value": NaN, "parameters": {}}]}',
            "is damaged .it.trials.0..value should be a number, not NaN",
        ),
    ],
)
def test_findings_that_cannot_be_read_are_one_sentence(runs: Runs, content: str, sentence: str) -> None:
    runs.best.mkdir(parents=True)
    runs.hpo.write_text(content)
    with pytest.raises(ResonanceError, match=rf"hpo.json {sentence}.*; remove it and run `search` again\.$"):
        read_hpo(runs.hpo)


def test_a_journal_of_an_earlier_version_is_left_alone_and_named(runs: Runs) -> None:
    runs.best.mkdir(parents=True)
    runs.journal.write_text("{}\n")
    messages: list[str] = []
    search(Config(), SPACE, Effort(1, epochs=1), runs, Landscape(runs), report=messages.append)
    assert messages[0].startswith(f"{runs.journal} is of an earlier version and is not continued; ")
    assert runs.journal.read_text() == "{}\n"
    messages.clear()
    search(Config(), SPACE, Effort(2, epochs=1), runs, Landscape(runs), report=messages.append)
    assert messages[0] == "going on with a search of 1 trials"


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file in the way")
    with pytest.raises(ResonanceError, match="cannot be made"):
        search(Config(), SPACE, Effort(1, epochs=1), Runs(tmp_path / "runs"), Landscape(Runs(tmp_path)))
