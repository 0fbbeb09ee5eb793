"""The files of training runs in one folder, by default `runs`.

    runs/study.db                 all trials of the search, an Optuna study
    runs/best/hpo.json            the finished trials, best first
    runs/best/ckpt.pt             the winner's weights (safetensors under the old name), config.yaml, log.csv,
                                  metrics.json
    runs/trials/NAME/             a training run that can be taken up again: state, log, settings

Every file is replaced atomically, so that whatever exists is whole.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from resonance_engine.errors import ResonanceError, printable
from resonance_engine.files import write_bytes
from resonance_engine.records import parse_record

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1
WEIGHTS, CONFIG, METRICS = "ckpt.pt", "config.yaml", "metrics.json"
Setting = str | int | float | bool


class Runs:
    """The paths in a folder of runs; `journal` is the study as the version before kept it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.best = folder, folder / "best"
        self.study, self.journal = folder / "study.db", folder / "study.journal"
        self.hpo, self.checkpoint = self.best / "hpo.json", self.best / WEIGHTS

    def trial(self, name: str) -> Path:
        return self.folder / "trials" / name


@dataclass(frozen=True)
class FinishedTrial:
    """A trial of a search: its number, the best value that its metric reached and the settings that it tried."""

    number: int
    value: float
    parameters: dict[str, Setting]


@dataclass(frozen=True)
class Findings:
    """The finished trials of a search, best first: by the largest `metric` with `mode` "max", else the smallest.

    `proxy` is the size of a trial: its `songs` and `epochs`.
    """

    metric: str
    mode: str
    proxy: dict[str, int]
    trials: list[FinishedTrial]


def write_hpo(findings: Findings, path: Path) -> None:
    write_json({"format": FORMAT, **asdict(findings)}, path)


def read_hpo(path: Path) -> Findings | None:
    """Read the findings of a search, or None where there was none; ResonanceError for a damaged file."""
    again = "remove it and run `search` again"
    try:
        document = json.loads(path.read_bytes())
        version = document.pop("format")
        if version == FORMAT:
            return parse_record(Findings, document, "it")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ResonanceError(f"{printable(path)} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResonanceError(f"{printable(path)} is damaged ({error}); {again}.") from error
    raise ResonanceError(f"{printable(path)} has format {version}, this program reads {FORMAT}; {again}.")


def suggest_remedy(metric: str) -> str:
    """Suggest what to do where a number is as good as it can be and so distinguishes nothing any more."""
    songs = "more held-out songs of known artists"
    return (
        f"{songs} would tell more"
        if metric == "map"
        else (f"train.early_stopping.monitor=map is finer, and {songs} are, too")
    )


def write_json(document: object, path: Path) -> None:
    """Write a document atomically, and its folder where it is missing; ResonanceError where that is impossible."""
    write_file(path, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None where there is none."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def write_file(path: Path, content: bytes) -> None:
    """Write a file atomically, and its folder where it is missing; ResonanceError where that is impossible."""
    make_folder(path.parent)
    try:
        write_bytes(path, content)
    except OSError as error:
        raise ResonanceError(f"{printable(path)} cannot be written: {error.strerror}.") from error


def make_folder(folder: Path) -> None:
    """Create a folder where it is missing; ResonanceError where that is impossible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResonanceError(f"{printable(folder)} cannot be made: {error.strerror}.") from error
