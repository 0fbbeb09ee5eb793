"""The memory of a search: shared by processes, taken up again after a kill, repeatable."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

optuna = pytest.importorskip("optuna")

from typing import TYPE_CHECKING

from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from resonance_engine.errors import ResonanceError
from resonance_engine.training.tuning import study as studies
from resonance_engine.training.tuning.study import counted, drawn, failed, give_back, open_study, release_interrupted
from tests.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SPACE = {"x": FloatDistribution(-3, 3)}

WORKER = f"""
import sys, time
from pathlib import Path
from optuna.distributions import FloatDistribution
from resonance_engine.training.tuning.study import drawn, open_study
study = open_study(Path(sys.argv[1]), "test", "min", seed=0, epochs=3)
for _ in range(int(sys.argv[2])):
    trial = drawn(study, {SPACE!r})
    trial.report(trial.params["x"] ** 2, 0)
    print(trial.number, flush=True)
    time.sleep(float(sys.argv[3]))
    study.tell(trial, trial.params["x"] ** 2)
"""


def opened(journal: Path | str) -> optuna.Study:
    return open_study(journal, "test", "min", seed=0, epochs=3)


def run(study: optuna.Study, trials: int) -> None:
    for _ in range(trials):
        trial = drawn(study, SPACE)
        study.tell(trial, trial.params["x"] ** 2)


def worker(journal: Path, trials: int, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, str(journal), str(trials), str(seconds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_study_goes_on_as_if_it_had_not_been_closed_nor_interrupted_in_a_journal_and_in_a_database(
    tmp_path: Path,
) -> None:
    database = f"sqlite:///{tmp_path}/study.db"
    run(opened(database), 7)
    study = opened(database)
    drawn(study, SPACE)
    give_back(study, study.trials[-1])
    run(study, 5)
    run(uninterrupted := opened(tmp_path / "study.journal"), 12)
    expected = [trial.params for trial in uninterrupted.trials]
    found = [trial.params for trial in opened(database).trials]
    assert found[:7] + found[8:] == expected
    assert found[7] == found[8]
    assert len({each["x"] for each in expected}) == 12


def test_the_sampler_learns(tmp_path: Path) -> None:
    run(study := opened(tmp_path / "study.journal"), 40)
    early, late = ([abs(trial.params["x"]) for trial in part] for part in (study.trials[:8], study.trials[30:]))
    assert sum(late) / len(late) < sum(early) / len(early) / 2


def test_two_processes_share_a_journal_and_lose_no_trial(tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    workers = [worker(journal, 15, 0.01) for _ in range(2)]
    shown = [process.communicate(timeout=60)[0].split() for process in workers]
    assert [process.returncode for process in workers] == [0, 0]
    trials = opened(journal).trials
    assert sorted(int(number) for numbers in shown for number in numbers) == list(range(30))
    assert all(trial.state == TrialState.COMPLETE and trial.value == trial.params["x"] ** 2 for trial in trials)
    assert len({trial.params["x"] for trial in trials}) == 30


def test_a_trial_whose_process_was_killed_is_tried_again_once(tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    run(opened(journal), 2)
    for attempt in range(2):
        process = worker(journal, 1, 60)
        assert process.stdout is not None
        assert process.stdout.readline() == f"{2 + attempt}\n"
        study = opened(journal)
        assert release_interrupted(study) == []  # it is still at it
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        before = time.monotonic()
        assert release_interrupted(study) == [2 + attempt]
        assert time.monotonic() - before < 5  # no lock is left to be waited for
    assert counted(study) == 2
    run(study, 1)
    trials = study.trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 2 + [TrialState.FAIL] * 2 + [
        TrialState.COMPLETE
    ]
    assert trials[2].params == trials[3].params != trials[4].params
    assert counted(study) == 3


def test_trials_of_other_machines_and_of_this_process_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = opened(tmp_path / "study.journal")
    own = drawn(study, SPACE)
    monkeypatch.setattr(studies.socket, "gethostname", lambda: "elsewhere")
    drawn(study, SPACE)
    monkeypatch.undo()
    assert release_interrupted(study) == []
    assert counted(study) == 2
    assert own.number == 0


def test_a_process_number_that_came_round_is_another_process() -> None:
    process = studies.worker(os.getpid())
    assert studies.is_alive(process)
    if process["started"]:
        assert not studies.is_alive({**process, "started": "1"})
    assert not studies.is_alive({**process, "pid": 2**22 + 1})  # beyond what Linux numbers


def test_failed_trials_count_and_keep_their_reason(tmp_path: Path) -> None:
    study = opened(tmp_path / "study.journal")
    failed(study, drawn(study, SPACE), "The loss is not a number.")
    run(study, 1)
    assert counted(study) == 2
    assert release_interrupted(study) == []
    assert study.trials[0].user_attrs[studies.REASON] == "The loss is not a number."


def test_half_a_line_at_the_end_of_a_journal_costs_that_line(tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    run(opened(journal), 3)
    with journal.open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"a')
    run(opened(journal), 2)
    assert [trial.state for trial in opened(journal).trials] == [TrialState.COMPLETE] * 5


@pytest.mark.parametrize("content", [b"{}\n{}\n", b"no json\n{}\n", b'{"op_code":0}\n', b"[]\n\n"])
def test_a_damaged_journal_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    journal = tmp_path / "study.journal"
    journal.write_bytes(content)
    with pytest.raises(ResonanceError, match=r"study.journal is damaged .*; move it away and search again"):
        opened(journal)


@pytest.mark.parametrize(
    "storage", ["sqlite:////nowhere/study.db", "nonsense://host/name", "postgresql+missing://host/name"]
)
def test_a_database_that_cannot_be_used_is_one_sentence(storage: str) -> None:
    with pytest.raises(ResonanceError, match="cannot be used"):
        opened(storage)


def test_a_trial_that_does_worse_than_most_is_given_up(tmp_path: Path) -> None:
    study = open_study(tmp_path / "study.journal", "test", "max", seed=0, epochs=6)
    for _ in range(4):
        trial = drawn(study, SPACE)
        for epoch in range(1, 7):
            trial.report(0.5, epoch)
        study.tell(trial, 0.5)
    trial = drawn(study, SPACE)
    judged = []
    for epoch in range(1, 7):
        trial.report(0.1, epoch)
        judged.append(trial.should_prune())
    assert judged == [False, False, True, True, True, True]
