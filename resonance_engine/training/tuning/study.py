"""The Optuna study of a search: what may be tried, and the database that processes share and that survives kill -9."""

from __future__ import annotations

import fcntl
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError

from resonance_engine.errors import ConfigError, ResonanceError, printable
from resonance_engine.training.config.config_file import (
    DEFAULTS,
    locate,
    parse_value,
    read_mapping,
    shipped_folder,
    show,
)
from resonance_engine.training.tuning.runs import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from optuna.trial import FrozenTrial

SHIPPED = "search_space.yaml"
SHORT = {
    "lr": "train.lr",
    "batch_identities": "train.batch_identities",
    "temperature": "train.temperature",
    "weight_decay": "train.weight_decay",
    "fusion_mode": "fusion.mode",
}
FIXED = ("data.", "cache.", "features.", "augment.audio.", "train.early_stopping.")
"""What all trials of a search share: the music, its features and how a trial is judged."""

FORM = "{loguniform: [LOW, HIGH]}, {uniform: [LOW, HIGH]} or a list of values"

Space = dict[str, BaseDistribution]
REASON, RETRY_OF = "reason", "retry of"  # user attributes of trials
STARTUP_TRIALS = 8  # drawn at random before the sampler trusts its model
TABLE_TRIES = 4  # each may meet another process at another table
HEARTBEAT_SECONDS = 60  # a trial without a sign of life for twice as long is taken for killed


def read_space(path: Path | None) -> Space:
    """Return the search space in a YAML file, or the one that comes with Resonance: distributions by setting.

        train.lr: {loguniform: [1e-5, 1e-3]}
        train.temperature: {uniform: [0.03, 0.15]}
        fusion.mode: [gated_add, gated_concat]

    Raises ConfigError: one sentence with the file, the setting's key and what is wrong.
    """
    path = shipped_folder() / SHIPPED if path is None else path
    document = read_mapping(path)
    try:
        return space_of(document)
    except ConfigError as error:
        raise ConfigError(f"{printable(locate(path))}: {error}") from error


def space_of(document: Mapping[Any, object]) -> Space:
    space: Space = {}
    for name, value in document.items():
        key = SHORT.get(name, str(name))
        if key.startswith(FIXED) and key in DEFAULTS:
            raise ConfigError(f"{key} is the same for all trials; search among model, fusion, augment and train.")
        if key in space:
            raise ConfigError(f"{key} stands twice, once as {name}; keep one.")
        space[key] = distribution(key, value)
    if not space:
        raise ConfigError("there is nothing to search for; name a setting, such as train.lr.")
    return space


def distribution(key: str, value: object) -> BaseDistribution:
    default = parse_value(key, DEFAULTS.get(key))  # ConfigError for an unknown key
    if isinstance(value, dict) and len(value) == 1:
        ((kind, bounds),) = value.items()
        if kind == "choice":
            value = bounds
        elif kind in ("uniform", "loguniform"):
            if not isinstance(default, float):
                raise ConfigError(f"{key} cannot be drawn {kind}, for it takes no fractions; give a list of values.")
            return interval(key, kind, bounds)
    if not isinstance(value, list):
        raise ConfigError(f"{key} needs {FORM}, not {show(value)}.")
    values = tuple(parse_value(key, choice) for choice in value)
    if not values or len(set(values)) < len(values):
        raise ConfigError(f"{key} needs at least one value, and each only once, not {values}.")
    return CategoricalDistribution(values)


def interval(key: str, kind: str, bounds: object) -> FloatDistribution:
    if not isinstance(bounds, list) or len(bounds) != 2:
        raise ConfigError(f"{key} needs two numbers, {kind}: [LOW, HIGH], not {show(bounds)}.")
    low, high = (parse_value(key, bound) for bound in bounds)
    if not low < high:
        raise ConfigError(f"{key} needs the lower number first, {kind}: [LOW, HIGH], not {bounds}.")
    if kind == "loguniform" and low <= 0:
        raise ConfigError(f"{key} cannot be drawn loguniform from {low:g}; start above 0, or take uniform.")
    return FloatDistribution(low, high, log=kind == "loguniform")


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
    shown, url = show_storage(storage), f"sqlite:///{storage.absolute()}" if isinstance(storage, Path) else storage
    waiting = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
    try:
        with exclusive(storage), warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats, since Optuna 2.9
            return optuna.create_study(
                storage=open_database(url, waiting, heartbeat),
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


def open_database(url: str, options: dict[str, Any], heartbeat: int) -> RDBStorage:
    """Open a database, with Optuna's tables; where another process makes them at the same moment, try again."""
    for _ in range(TABLE_TRIES - 1):
        with suppress(IntegrityError, ProgrammingError):
            return RDBStorage(url, options, heartbeat_interval=heartbeat, heartbeat_stale_trial_callback=retry_once)
    return RDBStorage(url, options, heartbeat_interval=heartbeat, heartbeat_stale_trial_callback=retry_once)


def show_storage(storage: str | Path) -> str:
    """Return a path or URL for messages, the latter without its password."""
    if isinstance(storage, Path):
        return printable(storage)
    try:
        return printable(make_url(storage).render_as_string(hide_password=True))
    except SQLAlchemyError:
        return printable(storage)


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
