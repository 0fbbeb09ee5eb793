"""The memory of a search: shared by processes, taken up again after a kill, repeatable."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

optuna = pytest.importorskip("optuna")

from typing import TYPE_CHECKING

from optuna.trial import TrialState

from resonance_engine.errors import ResonanceError
from resonance_engine.training.tuning.study import REASON, RETRY_OF, count_trials, open_study, retry_once
from tests.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgresql_server import PostgresServer

WORKER = """
import sys, time
from pathlib import Path
from resonance_engine.training.tuning.study import open_study
study = open_study(Path(sys.argv[1]), "test", "min", seed=0, epochs=3, heartbeat=1)
def measure(trial):
    x = trial.suggest_float("x", -3, 3)
    print(trial.number, flush=True)
    time.sleep(float(sys.argv[3]))
    return x**2
study.optimize(measure, n_trials=int(sys.argv[2]))
"""


def opened(file: Path | str) -> optuna.Study:
    return open_study(file, "test", "min", seed=0, epochs=3, heartbeat=1)


def square(trial: optuna.Trial) -> float:
    return trial.suggest_float("x", -3, 3) ** 2


def worker(file: Path, trials: int, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, str(file), str(trials), str(seconds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_study_goes_on_as_if_it_had_not_been_closed_nor_interrupted(tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    opened(file).optimize(square, n_trials=7)
    study = opened(f"sqlite:///{file}")

    def interrupted(trial: optuna.Trial) -> float:
        square(trial)
        retry_once(trial.study, trial.study.trials[-1])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.optimize(interrupted)
    study.optimize(square, n_trials=5)
    uninterrupted = opened(tmp_path / "other.db")
    uninterrupted.optimize(square, n_trials=12)
    expected = [trial.params for trial in uninterrupted.trials]
    found = [trial.params for trial in opened(file).trials]
    assert found[:7] + found[8:] == expected
    assert found[7] == found[8]
    assert len({each["x"] for each in expected}) == 12


def test_the_sampler_learns(tmp_path: Path) -> None:
    study = opened(tmp_path / "study.db")
    study.optimize(square, n_trials=40)
    early, late = ([abs(trial.params["x"]) for trial in part] for part in (study.trials[:8], study.trials[30:]))
    assert sum(late) / len(late) < sum(early) / len(early) / 2


def test_two_processes_share_a_study_and_lose_no_trial(tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    workers = [worker(file, 15, 0.01) for _ in range(2)]
    shown = [process.communicate(timeout=60)[0].split() for process in workers]
    assert [process.returncode for process in workers] == [0, 0]
    trials = opened(file).trials
    assert sorted(int(number) for numbers in shown for number in numbers) == list(range(30))
    assert all(trial.state == TrialState.COMPLETE and trial.value == trial.params["x"] ** 2 for trial in trials)
    assert len({trial.params["x"] for trial in trials}) == 30


def test_a_trial_whose_process_was_killed_is_tried_again_once(tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    opened(file).optimize(square, n_trials=2)
    for number in (2, 3):
        process = worker(file, 1, 60)
        assert process.stdout is not None
        assert process.stdout.readline() == f"{number}\n"
        time.sleep(2.5)  # longer than the grace period
        assert opened(file).trials[number].state == TrialState.RUNNING
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert count_trials(opened(file)) == 3
        time.sleep(2.5)
    study = opened(file)
    study.optimize(square, n_trials=1)
    done, failed = [TrialState.COMPLETE], [TrialState.FAIL]
    assert [trial.state for trial in study.trials] == 2 * done + 2 * failed + done
    _, _, first, second, third = study.trials
    assert first.params == second.params != third.params
    assert second.user_attrs == {RETRY_OF: 2}
    assert count_trials(study) == 3


def test_failed_trials_count_and_keep_their_reason(tmp_path: Path) -> None:
    study = opened(tmp_path / "study.db")

    def fail(trial: optuna.Trial) -> float:
        trial.set_user_attr(REASON, "The loss is not a number.")
        raise ResonanceError

    study.optimize(fail, n_trials=1, catch=(ResonanceError,))
    study.optimize(square, n_trials=1)
    assert count_trials(study) == 2
    assert study.trials[0].user_attrs[REASON] == "The loss is not a number."


@pytest.mark.parametrize("content", [b"{}\n{}\n", b"SQLite format 3\0" + bytes(2000)])
def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "study.db"
    file.write_bytes(content)
    with pytest.raises(ResonanceError, match=r"study.db cannot be used: .*\. Move it away, .* stay in hpo\.json\.$"):
        opened(file)


@pytest.mark.parametrize(
    "storage", ["sqlite:////nowhere/study.db", "nonsense://host/name", "postgresql+missing://host/name"]
)
def test_a_database_that_cannot_be_used_is_one_sentence(storage: str) -> None:
    with pytest.raises(ResonanceError, match="cannot be used"):
        opened(storage)


def test_messages_do_not_show_a_password() -> None:
    with pytest.raises(ResonanceError, match=r"postgresql\+missing://me:\*\*\*@host/name cannot be used"):
        opened("postgresql+missing://me:secret@host/name")


@pytest.mark.rest
def test_processes_share_a_study_on_a_server_from_its_first_moment(postgres: PostgresServer) -> None:
    storage = postgres.create_database()
    script = f"from tests.training.test_study import opened; print(opened({storage!r}).study_name)"
    command = [sys.executable, "-c", script]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)]
    assert [process.communicate()[0] for process in processes] == ["test\n"] * 3


def test_a_trial_that_does_worse_than_most_is_given_up(tmp_path: Path) -> None:
    study = open_study(tmp_path / "study.db", "test", "max", seed=0, epochs=6)

    def measure(trial: optuna.Trial) -> float:
        for epoch in range(1, 7):
            trial.report(0.5, epoch)
        return 0.5

    study.optimize(measure, n_trials=4)
    judged: list[bool] = []

    def lag(trial: optuna.Trial) -> float:
        for epoch in range(1, 7):
            trial.report(0.1, epoch)
            judged.append(trial.should_prune())
        return 0.1

    study.optimize(lag, n_trials=1)
    assert judged == [False, False, True, True, True, True]
