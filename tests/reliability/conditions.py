"""Every command in every bad condition: what it says, whether anything is lost, and whether the next run mends it.

    python -m tests.reliability.conditions [--only WORD ...] [--quick] [--all] [--keep DIR]

prints a table; exits 1 where a command gave no sentence or anything was lost. Conditions that need a disk of their own
are left out where the system lets nobody mount.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.console import print_line
from tests.e2e.home import Home, album, new_home
from tests.reliability import disks, home_state
from tests.reliability.injected_conditions import CONDITIONS, Condition, is_beets_own
from tests.reliability.processes import environment
from tests.reliability.scenarios import OWN, SECOND_MODEL, Scenario, configure
from tests.reliability.trials import list_answers

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE = 300.0
WIDTH = 100
NEW = 2
COMMANDS = {
    "import": ("import", "{new}"),
    "analyze": ("resonance", "analyze"),
    "similar": ("similar", "title:=Song 0"),
    "playlist": ("playlist", "-o", "list.m3u8", "title:=Song 0"),
    "status": ("resonance", "status"),
    "check": ("resonance", "check"),
    "model use": ("resonance", "model", "use", OWN),
    "model list": ("resonance", "model", "list"),
    "failures": ("resonance", "failures"),
    "prune": ("resonance", "prune", "--pretend"),
}
# What these leave is what they found, so that no other run says what it should be.
LOOKING = ("status", "model list", "failures", "prune")
REPAIR = ("resonance", "check", "--repair")


@dataclass
class Cell:
    """What a command came to in a condition: its exit status, the first line that it said, and what was wrong."""

    condition: str
    command: str
    status: int = 0
    message: str = ""
    printed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class End:
    """What is there after a command, what completes it, and nothing else."""

    state: home_state.HomeState
    answers: tuple[str, ...]


def prepared(folder: Path) -> tuple[Home, Path]:
    """A home of six analysed tracks and two that are not, with a second model; and two tracks to import."""
    home = new_home(folder / "base")
    configure(home, home.music, copy=True)
    home.beet("import", str(album(folder / "known", 6)))
    home.beet("resonance", "analyze")  # leaves a lock that nobody holds
    home.beet("-P", "resonance", "import", str(album(folder / "later", 2, 6, "Later")))
    home.beet("playlist", "-n", "3", "-o", str(home.path / home_state.PLAYLIST), "title:=Song 1")
    own = home.path / "resonance-models" / OWN
    own.mkdir(parents=True)
    (own / "model.onnx").symlink_to(SECOND_MODEL)
    return home, album(folder / "new", NEW, 8, "New")


def run(home: Home, command: str, new: Path) -> tuple[int, str, str]:
    words = [word.format(new=new) for word in {**COMMANDS, "repair": REPAIR}[command]]
    done = subprocess.run(
        [sys.executable, "-m", "beets", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(home),
        cwd=home.path,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def ended(home: Home, command: str, new: Path) -> End:
    """Run a command and what completes it, where nothing is in the way."""
    for each in ("repair" if command == "check" else command, "analyze"):
        status, out, err = run(home, each, new)
        assert status == 0, f"{each} fails: {out}{err}"
    return End(home_state.read_state(home, home.path / "inspected"), list_answers(home))


def tried(condition: Condition, command: str, story: Scenario, folder: Path, new: Path, normal: End | None) -> Cell:
    """Run a command in a condition, lift that and, where it is known what should come of it, run it again."""
    cell = Cell(condition.name, command)
    home = story.clone(folder)
    library, before = home.library.read_bytes(), home_state.read_state(home, home.path / "inspected")
    with condition.spoil(home):
        cell.status, out, err = run(home, command, new)
        cell.wrong += wrong_messages(condition, command, cell.status, out, err)
        if command != "import" and home.library.read_bytes() != library:
            cell.wrong.append("beets' database was changed")
    lines = [*err.splitlines(), *out.splitlines(), ""]
    messages = [line for start in ("error", "resonance:") for line in lines if line.startswith(start)]
    cell.message, cell.printed = (messages or err.splitlines()[-1:] or lines)[0].replace(str(home.path), "~"), lines
    now = home_state.read_state(home, folder.with_name("inspected"))
    cell.wrong += home_state.lost(before.vectors, now.vectors)
    if command == "import" and condition.imports and len(now.items) != len(before.items) + NEW:
        cell.wrong.append("the import did not import")
    if normal is not None:
        cell.wrong += mended(home, command, new, normal)
    elif command in LOOKING:
        cell.wrong += [f"{name} were changed" for name in differing(now, before)]
    disks.unmount_below(folder)
    return cell


def wrong_messages(condition: Condition, command: str, status: int, out: str, err: str) -> list[str]:
    if "Traceback" in out + err and not is_beets_own(out + err):
        return [f"a traceback: {err[-500:]}"]
    if status and command in condition.works:
        return ["it should work all the same"]
    # What beets says where it can't write its own library is not for us to word.
    messages = sum(line.startswith("error: ") for line in err.splitlines())
    if command != "import" and messages != (1 if status else 0):
        return [f"with exit status {status} it says {messages} errors"]
    return []


def mended(home: Home, command: str, new: Path, normal: End) -> list[str]:
    """What differs from an undisturbed run once the condition is over and the command is run again."""
    imported = (
        command == "import"
        and home_state.read_state(home, home.path.with_name("inspected")).items == normal.state.items
    )
    try:
        end = ended(home, "analyze" if imported else command, new)
    except AssertionError as error:
        return [f"afterwards, {error}"]
    wrong = [f"{name} differ afterwards" for name in differing(end.state, normal.state)]
    return wrong + (["answers differ afterwards"] if end.answers != normal.answers else [])


def differing(one: home_state.HomeState, other: home_state.HomeState) -> list[str]:
    """What two homes do not have in common; an index, which can be made again, does not count."""
    names = ("items", "tracks", "vectors", "facts", "active", "version", "playlist")
    return [name for name in names if getattr(one, name) != getattr(other, name)]


def cells(folder: Path, only: Sequence[str], quick: bool, everything: bool) -> list[Cell]:
    """The whole table, a line printed for each cell, or with `everything` all that its command said."""
    home, new = prepared(folder)
    story = Scenario("conditions", home, (), ())
    normal: dict[str, End | None] = dict.fromkeys(COMMANDS)
    if not quick:
        acting = (name for name in COMMANDS if name not in LOOKING)
        normal |= {name: ended(story.clone(folder / f"normal {name}"), name, new) for name in acting}
    results = []
    for condition in (each for each in CONDITIONS if any(word in each.name for word in only)):
        if condition.mounts and not disks.inside():
            print_line(f"{condition.name:36} left out: nobody may mount here")
            continue
        for command in COMMANDS:
            place = folder / f"{condition.name} {command}"
            results.append(tried(condition, command, story, place, new, normal[command]))
            show(results[-1], everything)
    return results


def show(cell: Cell, everything: bool) -> None:
    outcome = "LOST" if cell.wrong else "survived"
    print_line(f"{cell.condition:36} {cell.command:10} {cell.status:3}  {outcome:9} {cell.message[:WIDTH]}")
    for line in [*(cell.printed if everything else ()), *cell.wrong]:
        print_line(f"     {line}")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="WORD", help="only conditions with one of these in the name"
    )
    parser.add_argument("--quick", action="store_true", help="leave out the runs that come after")
    parser.add_argument("--all", action="store_true", help="show all that the commands print")
    parser.add_argument("--keep", type=Path, help="an empty folder for the homes, which are kept")
    options = parser.parse_args()
    disks.go_inside(["-m", "tests.reliability.conditions", *sys.argv[1:]])
    # Not in /tmp, which is full in one of the conditions.
    with tempfile.TemporaryDirectory(prefix="resonance-", dir="/var/tmp", ignore_cleanup_errors=True) as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        results = cells(folder, options.only, options.quick, options.all)
    lost = sum(bool(cell.wrong) for cell in results)
    print_line(f"{len(results)} commands in bad conditions: {len(results) - lost} survived, {lost} lost")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
