"""One kill: a clone, a run that is ended at some moment, what is left of it, and the run that completes it."""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.e2e.home import PATIENCE
from tests.reliability import home_state
from tests.reliability.processes import OUTPUT, await_change, begun, family, kill, survivors
from tests.reliability.shared_homes import remove

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.home import Home
    from tests.reliability.home_state import HomeState
    from tests.reliability.scenarios import Scenario

FAREWELL = 5.0  # seconds in which workers whose parent was killed have to end
LONG_AGO = 7200.0
WRITES = 6  # changes of files that are awaited at most
MOMENT = 0.03  # seconds after the last of them
# By what was to be seen: nothing new on disk, workers at work too, files or a log begun, rows committed, all of them.
PHASES = ("no change", "analysing", "writing", "partly done", "all done", "too late")


@dataclass(frozen=True)
class Undisturbed:
    """What a story comes to when nobody kills it: how long it takes, what is there before and after, what is found."""

    seconds: float
    before: HomeState
    after: HomeState
    alone: HomeState
    answers: tuple[str, ...]
    library: bytes
    schema: frozenset[tuple[str, str | None]]
    attributes: frozenset[str]
    problems: frozenset[str]


@dataclass
class Trial:
    """What came of one kill: the phase that it hit, what was lost, and how many temporary files it left."""

    story: str
    number: int
    whole: bool
    phase: str = ""
    temporary: int = 0
    kept: int = 0
    losses: list[str] = field(default_factory=list)


def undisturbed(story: Scenario, folder: Path) -> Undisturbed:
    """Run a story to its end, and once more as beets alone would have it."""
    home = story.clone(folder)
    before, library = home_state.read_state(home, folder / "inspected"), home.library.read_bytes()
    problems = frozenset(home_state.sidecar_problems(home_state.copied(home, folder / "inspected")[1]))
    started = time.monotonic()
    process = begun(home, *story.arguments, typed=answers_of(story, home))
    status = process.wait(PATIENCE)
    seconds = time.monotonic() - started
    assert status == 0, (home.path / OUTPUT).read_text()
    complete(story, home)
    after = home_state.read_state(home, folder / "inspected")
    answers = list_answers(home)
    plain = story.clone(folder.with_name(f"{folder.name}-plain"))
    if story.imports:
        plain.beet("-P", "resonance", *story.arguments)
    alone = home_state.read_state(plain, plain.path / "inspected")
    schema, attributes = home_state.schema(plain.library), home_state.attributes(plain.library)
    return Undisturbed(seconds, before, after, alone, answers, library, schema, attributes, problems)


def complete(story: Scenario, home: Home) -> None:
    """Run what completes a story, as a user would after a crash."""
    for command in story.rest:
        if story.answers:
            status = begun(home, *command, typed=answers_of(story, home)).wait(PATIENCE)
            assert status == 0, (home.path / OUTPUT).read_text()
        else:
            home.beet(*command)


def answers_of(story: Scenario, home: Home) -> str:
    """What a user types to answer the questions of a story that are not answered yet, and to leave."""
    if not story.answers:
        return ""
    given = home_state.read_state(home, home.path / "inspected").decisions.get(home_state.ANSWERS, [])
    # By turns, so that the answers teach something.
    return "".join(f"{1 + number % 2}\n" for number in range(len(given), story.answers)) + "q\n"


def list_answers(home: Home) -> tuple[str, ...]:
    """What the home answers: ranked results and a playlist, by title, each title once."""
    everything = ("--per-artist", "0", "--per-album", "0")
    found = home.beet("similar", *everything, "-n", "50", "-f", "$title", "title:=Song 2")
    listed = home.beet("playlist", *everything, "-n", "6", "-f", "$title", "title:=Song 3")
    return (*dict.fromkeys(found), "", *dict.fromkeys(listed))


def tried(story: Scenario, normal: Undisturbed, folder: Path, number: int, seed: int) -> Trial:
    """Kill a run of a story at a random moment, and see what that cost."""
    chance = random.Random(f"{seed} {number}")  # noqa: S311 - no secret
    trial = Trial(story.name, number, whole=number % 2 == 0)
    home = story.clone(folder)
    process = begun(home, *story.arguments, typed=answers_of(story, home))
    if number // 2 % 2:
        time.sleep(chance.uniform(0, normal.seconds))
    else:
        # Start-up is most of the time of a command: look for the moments at which something is written.
        for _ in range(chance.randint(1, WRITES)):
            await_change(home, process, 3 * normal.seconds)
        time.sleep(chance.uniform(0, MOMENT))
    committed = home_state.visible(home, folder / "inspected")
    relatives = len(family(home))
    late = process.poll() is not None
    kill(process, trial.whole) if not late else process.wait()
    left = survivors(home, FAREWELL)
    if left:
        trial.losses.append(f"{len(left)} processes outlived their parent by {FAREWELL:g} s")
    examine(story, normal, home, trial, committed)
    trial.phase = "too late" if late else phase(normal, home, relatives)
    finish(story, normal, home, trial)
    if not trial.losses:
        remove(home)
    return trial


def phase(normal: Undisturbed, home: Home, relatives: int) -> str:
    """How far the killed run had come, by what it left."""
    now = home_state.read_state(home, home.path / "inspected").progress()
    if now == normal.after.progress():
        return "all done"
    if now != normal.before.progress():
        return "partly done"
    log = home.sidecar.with_name(f"{home.sidecar.name}-wal")
    if home_state.temporaries(home) or (log.exists() and log.stat().st_size):
        return "writing"
    return "analysing" if relatives > 1 else "no change"


def examine(story: Scenario, normal: Undisturbed, home: Home, trial: Trial, committed: home_state.Vectors) -> None:
    """What the kill left, before anything runs again."""
    now = home_state.read_state(home, home.path / "inspected")
    library, sidecar = home_state.copied(home, home.path / "inspected")
    for path in (library, sidecar):
        trial.losses += home_state.unsound(path)
    trial.losses += home_state.unreadable_by_beets(home, library, None if story.imports else len(now.items))
    trial.losses += changed_library(story, normal, home, library, now)
    trial.losses += home_state.lost(committed, now.vectors, story.replaces)
    trial.losses += home_state.lost(normal.before.vectors, now.vectors, story.replaces)
    trial.losses += sorted(set(home_state.sidecar_problems(sidecar)) - normal.problems)
    if now.output not in (normal.before.output, normal.after.output):
        trial.losses.append("the playlist or page is neither the old one nor the new one")
    trial.losses += changed_decisions(normal, now)


def changed_decisions(normal: Undisturbed, now: HomeState) -> list[str]:
    """What the user decided that is neither as before nor as after, nor the answers on the way."""
    losses = []
    for name in home_state.DECISIONS:
        before, mine, after = (state.decisions.get(name) for state in (normal.before, now, normal.after))
        if name == home_state.ANSWERS:
            mine = mine or []
            after = (after or [])[: len(mine)] if len(mine) >= len(before or []) else before
        if mine not in (before, after):
            losses.append(f"{name}: neither as before nor as after")
    return losses


def changed_library(story: Scenario, normal: Undisturbed, home: Home, library: Path, now: HomeState) -> list[str]:
    """What is in beets' own database that beets did not write."""
    if story.retags:
        # All of them or none: what was there before is restored by what is kept of all.
        return [] if now.items in (normal.before.items, normal.after.items) else ["some genres changed"]
    if not story.imports:
        same = home.library.read_bytes() == normal.library
        return [] if same else ["beets' database was changed"]
    wrong = []
    if home_state.schema(library) != normal.schema:
        wrong.append("beets' database has other tables")
    if not home_state.attributes(library) <= normal.attributes:
        wrong.append("beets' database has other attributes")
    if not now.items <= normal.alone.items:
        wrong.append("beets' database has items that beets alone would not have")
    return wrong


def finish(story: Scenario, normal: Undisturbed, home: Home, trial: Trial) -> None:
    """Run what is to complete the story, and compare the end with that of a run which nobody killed."""
    temporary = home_state.temporaries(home)
    trial.temporary = len(temporary)
    for path in temporary:
        os.utime(path, (time.time() - LONG_AGO,) * 2)
    try:
        complete(story, home)
        answers = list_answers(home)
    except AssertionError as error:
        trial.losses.append(f"the next run did not complete it: {error}")
        return
    now = home_state.read_state(home, home.path / "inspected")
    for name in ("items", "tracks", "vectors", "facts", "decisions", "active", "version", "output"):
        if getattr(now, name) != getattr(normal.after, name):
            trial.losses.append(f"{name} are not those of an undisturbed run")
    if answers != normal.answers:
        trial.losses.append(f"answers are not those of an undisturbed run: {answers} instead of {normal.answers}")
    left = set(home_state.sidecar_problems(home_state.copied(home, home.path / "inspected")[1]))
    trial.losses += sorted(left if story.replaces else left - normal.problems)
    if story.reverts:
        home.beet(*story.reverts)
        if home_state.read_state(home, home.path / "inspected").items != normal.before.items:
            trial.losses.append(f"{' '.join(story.reverts)} does not restore what was there before")
    # A file that is written again takes the remains of its earlier writers along.
    trial.kept = sum(path.exists() for path in temporary)
