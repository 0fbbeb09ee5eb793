"""Count the functions of this project that a command enters: how far a reader has to follow it.

    python -m benchmarks.walks [--root CHECKOUT]... [--walk NAME]... [--show NAME | --times N]

A walk is one command, run in a fresh interpreter against a checkout of any revision: only the plugin's commands and the
command line's verbs are used. Counted are calls of functions of the checkout, distinct functions, their files, and
changes of file between one entered function and the next, from the moment when beets has parsed its command line; of
`resonance`, the parsing counts, too. Left out are other processes, other packages, bodies of modules and classes,
lambdas and comprehensions; a generator counts once, however often it is resumed. `--times` measures CPU seconds of the
same commands instead, without the tracer, the checkouts in turns.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import wave
from collections import Counter
from inspect import CO_OPTIMIZED
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, FrameType

ROOT = Path(__file__).parents[1]
TITLES = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu",
)  # fmt: skip
ARTISTS = ("Brass", "Organ", "Strings")
SECONDS, RATE = 6, 22_050
ADDED = Path("new", "omicron.wav")
NEW, KNOWN, FILLED = "new", "known", "filled"  # homes: without a library, the same with its tracks analysed, a library
WALKS = {
    "import": (NEW, ["beet", "import", "-q", "-A", "-s", str(ADDED)]),
    "known": (KNOWN, ["beet", "import", "-q", "-A", "-C", "music"]),
    "analyze": (FILLED, ["beet", "resonance", "analyze"]),
    "similar": (FILLED, ["beet", "similar", "title:alpha"]),
    "filters": (FILLED, ["beet", "similar", "title:alpha", "--from", "artist:Brass", "--not", "title:zeta"]),
    "playlist": (FILLED, ["beet", "playlist", "title:alpha"]),
    "embed": (FILLED, ["resonance", "embed", str(ADDED), "--out", "vectors.npz"]),
}
ALBUM = ["beet", "import", "-q", "-A", "-C", "music"]
SINGLETONS = ["beet", "import", "-q", "-A", "-C", "-s", "music"]
COUNTS = ("calls", "functions", "files", "changes")


class Tracer:
    """Counter of the calls of functions whose source is below `root`, by file, line and name, in every thread."""

    def __init__(self, root: Path) -> None:
        self.root = f"{root.resolve()}{os.sep}"
        self.environments = f"{self.root}.venv"  # as the Makefile calls them
        self.calls: Counter[tuple[str, int, str]] = Counter()
        self.changes = 0
        self._files: dict[CodeType, str | None] = {}
        self._starts: dict[CodeType, int] = {}
        self._last: dict[int, str] = {}

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        code = frame.f_code
        if code not in self._files:
            self._files[code] = self._file(code)
            self._starts[code] = frame.f_lasti  # a generator that is resumed stands at a later instruction
        file = self._files[code]
        if file is None or frame.f_lasti != self._starts[code]:
            return
        thread = threading.get_ident()
        self.changes += self._last.get(thread, file) != file
        self._last[thread] = file
        self.calls[file, code.co_firstlineno, code.co_qualname] += 1

    def _file(self, code: CodeType) -> str | None:
        """Return the file of a function with a name that belongs to the project, else None."""
        path = os.path.realpath(code.co_filename)
        has_name = code.co_flags & CO_OPTIMIZED and not code.co_name.startswith("<")  # not a class, not a comprehension
        is_own = code.co_filename == __file__  # the tracer stops itself
        is_of_checkout = path.startswith(self.root) and not path.startswith(self.environments)
        return path.removeprefix(self.root) if has_name and not is_own and is_of_checkout else None

    def counts(self) -> dict[str, int]:
        files = {file for file, _, _ in self.calls}
        return dict(zip(COUNTS, (self.calls.total(), len(self.calls), len(files), self.changes), strict=True))

    def start(self) -> None:
        threading.setprofile(self)
        sys.setprofile(self)

    def stop(self) -> None:
        sys.setprofile(None)
        threading.setprofile(None)


def run(command: list[str], tracer: Tracer | None = None) -> int:
    """Run a command in this interpreter, as its entry point would, and return its exit status."""
    program, *arguments = command
    try:
        if program == "beet":
            run_beets(arguments, tracer)
        else:
            from resonance_engine.cli import main as resonance

            if tracer is not None:
                tracer.start()
            return resonance(arguments) or 0
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        if tracer is not None:
            tracer.stop()
    return 0


def run_beets(arguments: list[str], tracer: Tracer | None) -> None:
    """Run a command of beets; the tracer starts when beets has parsed the command line."""
    from beets import ui

    class Parser(ui.SubcommandsOptionParser):
        def parse_subcommand(self, args: list[str]) -> Any:
            parsed = super().parse_subcommand(args)
            if tracer is not None:
                tracer.start()
            return parsed

    ui.SubcommandsOptionParser = Parser  # type: ignore[misc]  # the one place between set-up and command
    ui._raw_main(arguments)


def trace(root: Path, command: list[str], out: Path) -> int:
    """Run a command, write its counts as JSON, and return its exit status."""
    tracer = Tracer(root)
    code = run(command, tracer)
    calls = [[*function, count] for function, count in tracer.calls.most_common()]
    out.write_text(json.dumps({"counts": tracer.counts(), "calls": calls}), encoding="utf-8")
    return code


def write_audio(path: Path, title: str, artist: str, seed: int) -> None:
    """Write a few seconds of a chord with noise, and its tags."""
    import numpy as np
    from mediafile import MediaFile

    rng = np.random.default_rng(seed)
    times = np.arange(SECONDS * RATE) / RATE
    pitches = 110 * 2 ** (rng.integers(0, 36, 4) / 12)
    beat = (times * rng.uniform(1, 4) % 1 < 0.5) + 0.2
    sound = beat * np.sin(2 * np.pi * pitches[:, None] * times).sum(axis=0) / 8 + 0.02 * rng.standard_normal(len(times))
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((32_000 * np.clip(sound, -1, 1)).astype("<i2").tobytes())
    tags = MediaFile(str(path))
    tags.update({"title": title, "artist": artist, "album": f"{artist} one"})
    tags.save()


def child(root: Path, home: Path, *arguments: str) -> float:
    """Run this file in an interpreter that imports the checkout at `root`, in the folder `home` with its own beets.

    Returns the CPU seconds of the process and its children.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**inherited, "PYTHONPATH": str(root), "BEETSDIR": str(home)}
    command = [sys.executable, "-P", __file__, *arguments]  # -P: this folder's modules stay off the path
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=home, env=environment, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)  # unlike Popen's own, its usage is that of this process alone
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            text = output.read().decode(errors="replace")
            raise SystemExit(f"{' '.join(arguments)} in {root} ended with {process.returncode}:\n{text}")
    return usage.ru_utime + usage.ru_stime


class Homes:
    """The homes of beets that a checkout runs its walks in."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder
        write_home(folder / NEW, [])
        write_home(folder / FILLED, TITLES)
        write_home(folder / KNOWN, TITLES[:1] + TITLES[3:4])  # of one artist
        child(root, folder / FILLED, "--run", *SINGLETONS)
        child(root, folder / KNOWN, "--run", *ALBUM)
        for file in (folder / KNOWN).glob("library.db*"):
            file.unlink()

    def run(self, walk: str, *action: str) -> float:
        """Run a walk and return its CPU seconds; walks that import run in a fresh copy of their home."""
        name, command = WALKS[walk]
        home = self.folder / name
        if name != FILLED:
            home = self.folder / "copy"
            shutil.rmtree(home, ignore_errors=True)
            shutil.copytree(self.folder / name, home)
        return child(self.root, home, *action, *command)

    def trace(self, walk: str) -> dict[str, Any]:
        """Return the counts of a walk, and its functions by their calls."""
        out = self.folder / f"{walk}.json"
        self.run(walk, "--trace", str(self.root), str(out))
        result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return result


def write_home(home: Path, titles: Sequence[str]) -> None:
    """Write a configuration of beets, files to import and one more file."""
    settings = {"plugins": ["resonance"], "directory": "library", "library": "library.db"}
    for number, title in enumerate(titles):
        write_audio(home / "music" / f"{title}.wav", title, ARTISTS[number % len(ARTISTS)], number)
    write_audio(home / ADDED, ADDED.stem, "Piano", len(TITLES))
    lines = (f"{key}: {json.dumps(value)}\n" for key, value in settings.items())
    (home / "config.yaml").write_text("".join(lines), encoding="utf-8")


def time_walk(walk: str, homes: Sequence[Homes], runs: int) -> list[str]:
    """Return the median CPU seconds of a walk in each home; the first run, which compiles modules, does not count."""
    rounds = [[home.run(walk, "--run") for home in homes] for _ in range(1 + runs)][1:]
    return [f"{statistics.median(seconds):.3f}" for seconds in zip(*rounds, strict=True)]


def show(result: dict[str, Any], limit: int) -> None:
    """Print the functions of one walk, those called most often first."""
    for file, line, name, count in result["calls"][:limit]:
        print(f"{count:6,}  {file}:{line}  {name}")


def print_table(walks: Sequence[str], roots: Sequence[Path], columns: Sequence[str], rows: Sequence[list[str]]) -> None:
    """Print a row for each walk, with a group of columns for each checkout."""
    print(" " * 9, *(f"{root.name:>{9 * len(columns) - 1}}" for root in roots))
    print("walk     ", *(f"{column:>8}" for _ in roots for column in columns))
    for name, cells in zip(walks, rows, strict=True):
        print(f"{name:<9}", *(f"{cell:>8}" for cell in cells))


def main() -> int:
    """Print the counts, or the CPU seconds, of each walk in each checkout."""
    parser = argparse.ArgumentParser(description="Count the functions that commands enter.")
    parser.add_argument("--root", type=Path, action="append", metavar="DIR", help="a checkout (this one); repeatable")
    parser.add_argument("--walk", choices=WALKS, action="append", help="one walk only; repeatable")
    parser.add_argument("--show", choices=WALKS, metavar="WALK", help="list the functions of one walk by their calls")
    parser.add_argument("--limit", type=int, metavar="N", help="of --show: so many functions")
    parser.add_argument("--times", type=int, metavar="N", help="measure CPU seconds, medians of N runs, instead")
    options = parser.parse_args()
    walks = [options.show] if options.show else options.walk or list(WALKS)
    roots = [root.resolve() for root in options.root or [ROOT]]
    with tempfile.TemporaryDirectory() as folder:
        homes = [Homes(root, Path(folder, str(number))) for number, root in enumerate(roots)]
        if options.times:
            print_table(walks, roots, ["CPU s"], [time_walk(walk, homes, options.times) for walk in walks])
            return 0
        results = {walk: [home.trace(walk) for home in homes] for walk in walks}
    if options.show:
        for root, result in zip(roots, results[options.show], strict=True):
            print(root)
            show(result, options.limit)
    counts = [[f"{result['counts'][name]:,}" for result in results[walk] for name in COUNTS] for walk in walks]
    print_table(walks, roots, COUNTS, counts)
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        sys.exit(run(sys.argv[2:]))
    if sys.argv[1:2] == ["--trace"]:
        sys.exit(trace(Path(sys.argv[2]), sys.argv[4:], Path(sys.argv[3])))
    sys.exit(main())
