"""Every system hears every track, in turns, so that whatever else the machine does slows all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.kept import Kept, read, write
from benchmarks.quality.listening import Listening
from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from benchmarks.quality.listening import System

SAVED_EVERY = 20  # tracks


def heard_by(
    systems: Sequence[System],
    root: Path,
    paths: Sequence[str],
    folder: Path,
    fresh: bool,
    report: Callable[[str], None],
    only: Collection[str] | None = None,
) -> dict[str, Kept]:
    """What each system, by name, hears of the tracks; only what `folder` does not keep yet, unless `fresh`.

    A track's place among all `paths` tells its fold, also where `only` some of them are heard.
    """
    files = {system.name: folder / f"{system.name}.npz" for system in systems}
    found = {s.name: Kept(s.made_by) if fresh else read(files[s.name], s.made_by) for s in systems}
    wanted = [(place, path) for place, path in enumerate(paths) if only is None or path in only]
    changed: set[str] = set()
    for count, (place, path) in enumerate(wanted, start=1):
        wanting = [system for system in systems if found[system.name].missing(path)]
        listen(wanting, Listening(place, root / path), path, found)
        changed |= {system.name for system in wanting}
        if changed and (count % SAVED_EVERY == 0 or count == len(wanted)):
            for name in changed:
                write(files[name], found[name])
            report(f"{count} of {len(wanted)} tracks: {', '.join(sorted(changed))}")
            changed.clear()
    return found


def listen(systems: Sequence[System], listening: Listening, path: str, found: dict[str, Kept]) -> None:
    for system in systems:
        try:
            found[system.name].heard[path] = system.hear(listening)
        except ResonanceError as error:
            found[system.name].failed[path] = str(error)


def seconds_of(
    systems: Sequence[System], root: Path, paths: Sequence[str], chosen: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Mean CPU seconds of each step of each system over the chosen tracks, which all of them hear one after another.

    The first track is heard twice: the first time loads libraries and filters, which is no track's cost.
    """
    spent: dict[str, dict[str, list[float]]] = {system.name: {} for system in systems}
    place = {path: number for number, path in enumerate(paths)}
    for number, path in enumerate([*chosen[:1], *chosen]):
        listening = Listening(place[path], root / path)
        for system in systems:
            try:
                seconds = system.hear(listening).seconds
            except ResonanceError:
                continue
            for step, value in seconds.items() if number else ():
                spent[system.name].setdefault(step, []).append(value)
    return {name: {step: float(np.mean(values)) for step, values in each.items()} for name, each in spent.items()}
