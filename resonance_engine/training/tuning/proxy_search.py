"""Which settings are worth a long training? Many short ones on a part of the songs, chosen by what was seen so far."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from resonance_engine.errors import ResonanceError, TrainingError
from resonance_engine.training.config.config_file import changed, flat
from resonance_engine.training.config.search_space import Choice, LogUniform
from resonance_engine.training.tuning.proxy import comparable, shortened
from resonance_engine.training.tuning.runs import Findings, FinishedTrial, made, remedy, write_hpo
from resonance_engine.training.tuning.study import (
    REASON,
    counted,
    drawn,
    failed,
    give_back,
    locked,
    open_study,
    release_interrupted,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from resonance_engine.training.config.search_space import Parameter, Space
    from resonance_engine.training.config.settings import Config
    from resonance_engine.training.tuning.proxy import Measure
    from resonance_engine.training.tuning.runs import Runs

    Report = Callable[[str], None]

FAILURES = 3  # without any success: then it is not the settings that are to blame


class NoUse(Exception):  # noqa: N818 - not an error
    """A trial that is not worth going on with."""


@dataclass(frozen=True)
class Effort:
    """How much a search may do: `trials` in all processes together, of `epochs` on about `songs` songs each.

    No trial begins after `minutes`, where that is not None.
    """

    trials: int = 30
    songs: int = 400
    epochs: int = 12
    minutes: float | None = None


def search(
    config: Config,
    space: Space,
    effort: Effort,
    runs: Runs,
    measure: Measure,
    music: str = "",
    storage: str | Path | None = None,
    report: Report = lambda _: None,
) -> Findings:
    """Try settings until `effort` is spent and keep what was found in `runs`; go on with a search that was stopped.

    `measure` trains with the settings that it is given in a folder, reports the monitored value after every epoch and
    returns the best. Trials that it raises ResonanceError for are reported and left behind; TrainingError when three
    fail and none succeeds. `music` is a digest of what it is measured on: other music, and other settings, have a
    study of their own. `storage` is a journal or a database's URL, by default `runs.journal`.
    """
    short = shortened(config, effort.epochs)
    study = begun(short, space, study_name(short, space, effort, music), storage or runs.journal)
    for number in release_interrupted(study):
        report(f"trial {number} was interrupted and is tried again")
        shutil.rmtree(runs.trial(str(number)), ignore_errors=True)
    if counted(study):
        report(f"going on with a search of {counted(study)} trials")
    distributions = {key: distribution(parameter) for key, parameter in space.parameters.items()}
    end = math.inf if effort.minutes is None else time.monotonic() + 60 * effort.minutes
    while counted(study) < effort.trials and time.monotonic() < end:
        trial = drawn(study, distributions)
        outcome = attempt(study, trial, short, runs.trial(str(trial.number)), measure)
        report(line(outcome, short.train.early_stopping.monitor))
        keep(study, short, effort, runs)
        check_hope(study)
    findings = keep(study, short, effort, runs)
    equal = sum(trial.value == findings.trials[0].value for trial in findings.trials)
    if equal > 1:
        report(
            f"{equal} trials are equally good, so {findings.metric} cannot tell them apart; {remedy(findings.metric)}"
        )
    return findings


def begun(config: Config, space: Space, name: str, storage: str | Path) -> optuna.Study:
    """The study of this name; a new one tries the settings as they are first."""
    stopping = config.train.early_stopping
    study = open_study(storage, name, stopping.mode, config.train.seed, config.train.epochs)
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(starting_point(config, space), skip_if_exists=True)
    return study


def check_hope(study: optuna.Study) -> None:
    """Raise TrainingError when nothing but failures has come of several trials."""
    done = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    reasons = [trial.user_attrs[REASON] for trial in done if REASON in trial.user_attrs]
    if len(reasons) == len(done) >= FAILURES:
        raise TrainingError(f"All {len(done)} trials failed, the last because: {reasons[-1]}")


def attempt(study: optuna.Study, trial: optuna.Trial, config: Config, folder: Path, measure: Measure) -> FrozenTrial:
    """Measure the settings of one trial."""

    def judge(epoch: int, value: float) -> None:
        trial.report(value, epoch)
        if trial.should_prune():
            raise NoUse

    shutil.rmtree(folder, ignore_errors=True)  # of another study whose trials had the same numbers
    try:
        value = measure(changed(config, trial.params), folder, judge)
        if not math.isfinite(value):
            raise TrainingError(f"The monitored value is {value}.")
        study.tell(trial, value)
    except NoUse:
        study.tell(trial, state=TrialState.PRUNED)
    except ResonanceError as error:
        failed(study, trial, str(error))
    except BaseException:
        give_back(study, frozen(study, trial.number))
        raise
    return frozen(study, trial.number)


def frozen(study: optuna.Study, number: int) -> FrozenTrial:
    return next(each for each in study.get_trials(deepcopy=False) if each.number == number)


def distribution(parameter: Parameter) -> BaseDistribution:
    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.values)
    return FloatDistribution(parameter.low, parameter.high, log=isinstance(parameter, LogUniform))


def starting_point(config: Config, space: Space) -> dict[str, Any]:
    """The settings as they are, as far as the search may try them: no search ends below where it began."""
    values = flat(config)
    return {key: values[key] for key, parameter in space.parameters.items() if allows(parameter, values[key])}


def allows(parameter: Parameter, value: Any) -> bool:
    if isinstance(parameter, Choice):
        return value in parameter.values
    return bool(parameter.low <= value <= parameter.high)


def study_name(config: Config, space: Space, effort: Effort, music: str) -> str:
    """A name that changes with everything that makes trials incomparable, so that those never meet in one study."""
    tried = {key: [type(each).__name__, asdict(each)] for key, each in space.parameters.items()}
    described = json.dumps([comparable(config), tried, effort.songs, music], sort_keys=True)
    return f"search-{hashlib.blake2b(described.encode(), digest_size=4).hexdigest()}"


def keep(study: optuna.Study, config: Config, effort: Effort, runs: Runs) -> Findings:
    """Write what the study has found so far, best first."""
    stopping = config.train.early_stopping
    with locked(made(runs.folder) / "hpo.lock"):
        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        trials = [FinishedTrial(trial.number, float(trial.value or 0.0), trial.params) for trial in done]
        trials.sort(key=lambda trial: trial.value, reverse=stopping.mode == "max")
        proxy_size = {"songs": effort.songs, "epochs": effort.epochs}
        findings = Findings(stopping.monitor, stopping.mode, proxy_size, trials)
        if trials:  # else the file may hold what an earlier search found
            write_hpo(findings, runs.hpo)
    return findings


def line(trial: FrozenTrial, monitor: str) -> str:
    """One finished trial in words."""
    tried = ", ".join(f"{key}={shown(value)}" for key, value in trial.params.items())
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    if trial.state == TrialState.COMPLETE:
        outcome = f"{monitor} {trial.value:.4f}"
    elif trial.state == TrialState.PRUNED:
        epoch, value = max(trial.intermediate_values.items())
        outcome = f"given up after epoch {epoch} at {monitor} {value:.4f}"
    else:
        outcome = f"failed ({trial.user_attrs[REASON]})"
    return f"trial {trial.number}: {outcome}, {tried}, {seconds:.1f} s"


def shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
