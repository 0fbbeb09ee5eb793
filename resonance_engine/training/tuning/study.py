"""The Optuna study of a search: a database that processes and machines share and that survives kill -9."""

from __future__ import annotations

import fcntl
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from resonance_engine.errors import ResonanceError, printable
from resonance_engine.training.tuning.runs import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.trial import FrozenTrial

REASON, RETRY_OF = "reason", "retry of"  # user attributes of trials
STARTUP_TRIALS = 8  # drawn at random before the sampler trusts its model
HEARTBEAT_SECONDS = 60  # a trial without a sign of life for twice as long is taken for killed


class NumberedSampler(TPESampler):
    """A TPE sampler (Bergstra et al. 2011; multivariate as in Falkner et al. 2018) reseeded for each trial.

    The parameters of the n-th trial depend on the seed, on n and on the trials known when it is drawn. So processes
    that share a study draw different trials, and a search that was stopped goes on as if it had not been. Trials still
    running count as bad ones. Second attempts are not counted.
    """

    def __init__(self, seed: int, trial: int = 0) -> None:
        self.seed = seed
        super().__init__(
            n_startup_trials=STARTUP_TRIALS,
            multivariate=True,
            constant_liar=True,
            seed=(1_000_003 * seed + trial) % 2**32,
        )

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        retries = sum(RETRY_OF in earlier.user_attrs for earlier in study.get_trials(deepcopy=False)[: trial.number])
        NumberedSampler.__init__(self, self.seed, trial.number - retries)
        super().before_trial(study, trial)


def open_study(
    storage: str | Path, name: str, mode: str, seed: int, epochs: int, heartbeat: int = HEARTBEAT_SECONDS
) -> optuna.Study:
    """Open or create the study of this name; `storage` is the path of an SQLite file or a database's URL.

    `mode` is "max" or "min", `epochs` the length of a trial. A trial whose process gives no sign of life for twice
    `heartbeat` seconds fails and is queued again. Trials that do worse than the median of the earlier ones at the same
    epoch are pruned: with a few dozen short trials of one length the median has something to say long before
    Hyperband's brackets are filled. The first third of a trial, its warm-up, is never judged. Raises ResonanceError
    for a database that cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=epochs // 3 + 1)  # epochs count from 1
    shown, url = printable(storage), f"sqlite:///{storage.absolute()}" if isinstance(storage, Path) else storage
    waiting = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
    try:
        with exclusive(storage), warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats, since Optuna 2.9
            database = RDBStorage(url, waiting, heartbeat_interval=heartbeat, heartbeat_stale_trial_callback=retry_once)
            return optuna.create_study(
                storage=database,
                study_name=name,
                direction="maximize" if mode == "max" else "minimize",
                sampler=NumberedSampler(seed),
                pruner=pruner,
                load_if_exists=True,
            )
    except OSError as error:
        raise ResonanceError(f"{shown} cannot be used: {error.strerror}.") from error
    except (optuna.exceptions.StorageInternalError, SQLAlchemyError, ImportError, RuntimeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ResonanceError(
            f"The database {shown} cannot be used: {reason}. Move it away, or name another with --storage; the trials "
            "so far stay in hpo.json."
        ) from error


@contextmanager
def exclusive(storage: str | Path) -> Iterator[None]:
    """Let one process at a time create a file's tables, for Optuna fails where two do; the kernel frees the lock."""
    if isinstance(storage, str):
        yield
        return
    make_folder(storage.parent)
    with storage.with_name(f"{storage.name}.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def retry_once(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queue the parameters of a trial that was interrupted, unless it is a second attempt already.

    What interrupts twice may well be the trial itself, by using up the memory.
    """
    if RETRY_OF not in trial.user_attrs:
        study.enqueue_trial(trial.params, user_attrs={RETRY_OF: trial.number})


def count_trials(study: optuna.Study) -> int:
    """Return how many trials are done or under way; those that were interrupted are not."""
    return sum(
        trial.state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING) or REASON in trial.user_attrs
        for trial in study.get_trials(deepcopy=False)
    )
