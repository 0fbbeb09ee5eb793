"""A search's memory: an Optuna study that several processes and machines share and that survives kill -9.

The default storage is a journal, a text file that is only ever appended to; any SQLAlchemy URL serves as well.
"""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import optuna
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from resonance_engine.errors import ResonanceError, printable
from resonance_engine.training.tuning.runs import made

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

WORKER, REASON, AGAIN = "worker", "reason", "again"  # user attributes of trials
STARTUP_TRIALS = 8  # drawn at random before the sampler believes what it has seen
UNCLAIMED = timedelta(minutes=1)  # a trial is claimed right after it is drawn
DAMAGES = (ValueError, KeyError, TypeError, AttributeError, AssertionError)  # what Optuna raises for an odd journal


class JournalLock(JournalFileOpenLock):
    """The journal's lock, held by the kernel, which lets it go when its holder is killed.

    Optuna's own locks are files that a killed process leaves behind: the others would wait for half a minute. Half a
    line at the end, left by a full disk or a power cut, is cut off before anything is appended to it.
    """

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self.journal = journal
        self.held: IO[bytes] | None = None

    def acquire(self) -> bool:
        self.held = Path(f"{self.journal}.lock").open("ab")  # noqa: SIM115 - closed by release
        fcntl.flock(self.held, fcntl.LOCK_EX)
        cut_half_line(self.journal)
        return True

    def release(self) -> None:
        if self.held is not None:
            self.held.close()
            self.held = None


def cut_half_line(journal: Path) -> None:
    with journal.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        if not end:
            return
        file.seek(end - 1)
        if file.read(1) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)


class NumberedSampler(BaseSampler):
    """Parameters of the n-th trial that depend on the seed, on n and on what is known when it is drawn, no more.

    So processes that share a study never draw the same trial, and a search that was stopped goes on as if it had not
    been. Each trial asks a TPE sampler (Bergstra et al. 2011; multivariate as in Falkner et al. 2018) of its own seed,
    for which trials still running count as bad ones. Second attempts are not counted.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.samplers: dict[int, TPESampler] = {}

    def sampler(self, study: optuna.Study, trial: FrozenTrial) -> TPESampler:
        if trial.number not in self.samplers:
            attempts = sum(AGAIN in each.user_attrs for each in study.get_trials(deepcopy=False)[: trial.number])
            seed = (1_000_003 * self.seed + trial.number - attempts) % 2**32
            made = TPESampler(n_startup_trials=STARTUP_TRIALS, multivariate=True, constant_liar=True, seed=seed)
            self.samplers = {trial.number: made}
        return self.samplers[trial.number]

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.sampler(study, trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self.sampler(study, trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self.sampler(study, trial).sample_independent(study, trial, param_name, param_distribution)


def open_study(storage: str | Path, name: str, mode: str, seed: int, epochs: int) -> optuna.Study:
    """The study of this name, made if need be; `storage` is the journal's path or a database's URL.

    `mode` is "max" or "min", `epochs` the length of a trial. Trials that do worse than the median of the earlier ones
    at the same epoch are given up: with a few dozen short trials of one length the median has something to say long
    before Hyperband's brackets are filled. The first third of a trial, its warm-up, is never judged.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=epochs // 3 + 1)  # epochs count from 1
    shown = storage if isinstance(storage, str) else printable(storage)
    try:
        return optuna.create_study(
            storage=opened(storage),
            study_name=name,
            direction="maximize" if mode == "max" else "minimize",
            sampler=NumberedSampler(seed),
            pruner=pruner,
            load_if_exists=True,
        )
    except OSError as error:
        raise ResonanceError(f"{shown} cannot be used: {error.strerror}.") from error
    except DAMAGES as error:
        raise ResonanceError(
            f"{shown} is damaged ({error}); move it away and search again. What was found so far stays in hpo.json."
        ) from error
    except (optuna.exceptions.StorageInternalError, SQLAlchemyError, ImportError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ResonanceError(f"The database {shown} cannot be used: {reason}.") from error


def opened(storage: str | Path) -> BaseStorage:
    if isinstance(storage, Path):
        made(storage.parent)
        return JournalStorage(JournalFileBackend(str(storage.absolute()), lock_obj=JournalLock(storage.absolute())))
    waiting = {"connect_args": {"timeout": 60}} if storage.startswith("sqlite") else {}
    return RDBStorage(storage, engine_kwargs=waiting)


def drawn(study: optuna.Study, distributions: Mapping[str, BaseDistribution]) -> optuna.Trial:
    """The next trial, claimed by this process."""
    trial = study.ask(dict(distributions))
    trial.set_user_attr(WORKER, worker(os.getpid()))
    return trial


def worker(pid: int) -> dict[str, Any]:
    """A process of this machine, told from later ones that get the same number."""
    return {"host": socket.gethostname(), "pid": pid, "started": started(pid)}


def started(pid: int) -> str:
    """When a process was started, in the kernel's ticks; empty where there is no such process or no way to know."""
    try:
        stat = Path("/proc", str(pid), "stat").read_bytes()
    except OSError:
        return ""
    return stat.rpartition(b")")[2].split()[19].decode()  # proc(5): field 22, counted behind the name


def is_alive(process: Mapping[str, Any]) -> bool:
    """Whether a worker may still be at its trial; workers on other machines are believed to be."""
    if process["host"] != socket.gethostname():
        return True
    try:
        os.kill(process["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return started(process["pid"]) == str(process["started"])


def release_interrupted(study: optuna.Study) -> list[int]:
    """Give trials whose process is gone to whoever draws next, once; returns their numbers."""
    numbers = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        process = trial.user_attrs.get(WORKER)
        if process is None:
            begun = trial.datetime_start or datetime.now()
            if datetime.now() - begun < UNCLAIMED:
                continue
        elif is_alive(process):
            continue
        give_back(study, trial)
        numbers.append(trial.number)
    return numbers


def give_back(study: optuna.Study, trial: FrozenTrial) -> None:
    """End a trial that was interrupted and queue its parameters again, unless it is a second attempt already.

    What interrupts twice may well be the trial itself, by using up the memory.
    """
    try:
        study.tell(trial.number, state=TrialState.FAIL)
    except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
        return  # another process was faster
    if AGAIN not in trial.user_attrs:
        study.enqueue_trial(trial.params, user_attrs={AGAIN: trial.number})


def failed(study: optuna.Study, trial: optuna.Trial, reason: str) -> None:
    """End a trial that could not be measured."""
    trial.set_user_attr(REASON, reason)
    study.tell(trial, state=TrialState.FAIL)


def counted(study: optuna.Study) -> int:
    """How many trials are done or under way; those that were interrupted are not."""
    return sum(
        trial.state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING) or REASON in trial.user_attrs
        for trial in study.get_trials(deepcopy=False)
    )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes that ask the same out; the kernel lets go when the holder is killed."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
