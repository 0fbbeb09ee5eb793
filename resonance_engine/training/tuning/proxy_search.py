"""Search for settings that are worth a long training: many short ones on a part of the songs, drawn by Optuna."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optuna import TrialPruned
from optuna.distributions import CategoricalDistribution, FloatDistribution, distribution_to_json
from optuna.trial import TrialState

from resonance_engine.errors import ResonanceError, TrainingError, printable
from resonance_engine.training.config.config_file import change, flatten
from resonance_engine.training.tuning.proxy import comparable_settings, shorten
from resonance_engine.training.tuning.runs import Findings, FinishedTrial, suggest_remedy, write_hpo
from resonance_engine.training.tuning.study import REASON, count_trials, open_study, retry_once

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from resonance_engine.training.config.settings import Config
    from resonance_engine.training.tuning.proxy import Measure
    from resonance_engine.training.tuning.runs import Runs
    from resonance_engine.training.tuning.study import Space

    Report = Callable[[str], None]

MOST_FAILURES = 3  # without any success: then it is not the settings that are to blame


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
    """Try settings until `effort` is spent and write the findings to `runs`; resumes a search that was stopped.

    `measure` trains with the given settings in a folder, reports the monitored value after every epoch and returns the
    best. Trials for which it raises ResonanceError are reported and left behind; TrainingError when three fail and none
    succeeds. `music` is a digest of what it is measured on: other music, and other settings, have a study of their own.
    `storage` is an SQLite file or a database's URL, by default `runs.study`.
    """
    short = shorten(config, effort.epochs)
    stopping = short.train.early_stopping
    study = begin_study(short, space, study_name(short, space, effort, music), runs, storage, report)

    def attempt(trial: optuna.Trial) -> float:
        parameters = {key: suggest(trial, key, drawn) for key, drawn in space.items()}
        return measure_trial(trial, change(short, parameters), runs.trial(str(trial.number)), measure)

    def note(study: optuna.Study, trial: FrozenTrial) -> None:
        if trial.state == TrialState.FAIL and REASON not in trial.user_attrs:
            return  # interrupted
        report(describe_trial(trial, stopping.monitor))
        save_findings(study, short, effort, runs)
        check_failures(study)
        if count_trials(study) >= effort.trials:
            study.stop()

    if count_trials(study) < effort.trials:
        timeout = None if effort.minutes is None else 60 * effort.minutes
        study.optimize(attempt, timeout=timeout, catch=(ResonanceError,), callbacks=[note])
    findings = save_findings(study, short, effort, runs)
    if running := study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        numbers = ", ".join(str(trial.number) for trial in running)
        report(
            f"another process is at trial {numbers}; if it was killed, a search that starts in some minutes retries it"
        )
    equal = sum(trial.value == findings.trials[0].value for trial in findings.trials)
    if equal > 1:
        remedy = suggest_remedy(findings.metric)
        report(f"{equal} trials are equally good, so {findings.metric} cannot tell them apart; {remedy}")
    return findings


def begin_study(
    config: Config, space: Space, name: str, runs: Runs, storage: str | Path | None, report: Report
) -> optuna.Study:
    """Open the study of this name; a new one tries the settings as they are first."""
    train = config.train
    if storage is None and runs.journal.exists() and not runs.study.exists():
        report(
            f"{printable(runs.journal)} is of an earlier version and is not continued; {printable(runs.hpo)} keeps its "
            "trials until the first one of this search is finished"
        )
    study = open_study(storage or runs.study, name, train.early_stopping.mode, train.seed, train.epochs)
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(select_start(config, space), skip_if_exists=True)
    elif before := count_trials(study):
        report(f"going on with a search of {before} trials")
    return study


def measure_trial(trial: optuna.Trial, config: Config, folder: Path, measure: Measure) -> float:
    """Measure the settings of one trial; raises TrialPruned where it falls behind, ResonanceError where it fails."""

    def judge(epoch: int, value: float) -> None:
        trial.report(value, epoch)
        if trial.should_prune():
            raise TrialPruned

    shutil.rmtree(folder, ignore_errors=True)  # of another study whose trials had the same numbers
    try:
        value = measure(config, folder, judge)
        if not math.isfinite(value):
            raise TrainingError(f"The monitored value is {value}.")
    except ResonanceError as error:
        trial.set_user_attr(REASON, str(error))
        raise
    except TrialPruned:
        raise
    except BaseException:  # an interrupt, or a lack of memory
        retry_once(trial.study, trial.study.trials[trial.number])
        raise
    return value


def check_failures(study: optuna.Study) -> None:
    """Raise TrainingError when nothing but failures has come of several trials."""
    done = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    reasons = [trial.user_attrs[REASON] for trial in done if REASON in trial.user_attrs]
    if len(reasons) == len(done) >= MOST_FAILURES:
        raise TrainingError(f"All {len(done)} trials failed, the last because: {reasons[-1]}")


def suggest(trial: optuna.Trial, key: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(key, distribution.choices)
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(key, distribution.low, distribution.high, log=distribution.log)


def select_start(config: Config, space: Space) -> dict[str, Any]:
    """Return the settings as they are, as far as they lie in the space: no search ends below where it began."""
    values = flatten(config)
    return {key: values[key] for key, distribution in space.items() if is_within(values[key], distribution)}


def is_within(value: Any, distribution: BaseDistribution) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    assert isinstance(distribution, FloatDistribution)
    return bool(distribution.low <= value <= distribution.high)


def study_name(config: Config, space: Space, effort: Effort, music: str) -> str:
    """Return a name that changes with whatever makes trials incomparable, so that those never meet in one study."""
    tried = {key: distribution_to_json(distribution) for key, distribution in space.items()}
    described = json.dumps([comparable_settings(config), tried, effort.songs, music], sort_keys=True)
    return f"search-{hashlib.blake2b(described.encode(), digest_size=4).hexdigest()}"


def save_findings(study: optuna.Study, config: Config, effort: Effort, runs: Runs) -> Findings:
    """Write the finished trials of the study, best first, and again where another process finished one meanwhile."""
    stopping = config.train.early_stopping
    proxy_size = {"songs": effort.songs, "epochs": effort.epochs}
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    while True:
        trials = [FinishedTrial(trial.number, float(trial.value or 0.0), trial.params) for trial in complete]
        trials.sort(key=lambda trial: trial.value, reverse=stopping.mode == "max")
        findings = Findings(stopping.monitor, stopping.mode, proxy_size, trials)
        if not trials:  # the file may hold what an earlier search found
            return findings
        write_hpo(findings, runs.hpo)
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(complete) == len(trials):
            return findings


def describe_trial(trial: FrozenTrial, monitor: str) -> str:
    """Return a line about a finished trial."""
    tried = ", ".join(
        f"{key}={value:.3g}" if isinstance(value, float) else f"{key}={value}" for key, value in trial.params.items()
    )
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    if trial.state == TrialState.COMPLETE:
        outcome = f"{monitor} {trial.value:.4f}"
    elif trial.state == TrialState.PRUNED:
        epoch, value = max(trial.intermediate_values.items())
        outcome = f"given up after epoch {epoch} at {monitor} {value:.4f}"
    else:
        outcome = f"failed ({trial.user_attrs[REASON]})"
    return f"trial {trial.number}: {outcome}, {tried}, {seconds:.1f} s"
