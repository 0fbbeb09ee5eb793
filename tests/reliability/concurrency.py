"""Many `beet` processes on one library at once.

    python -m tests.reliability.concurrency [--rounds 3] [--readers 10] [--postgresql] [--keep DIR]

Each round has two imports side by side with queries, playlists and status, then two analyses, then readers beside a
transaction that stays open until the last of them is done. Exits 1 when a row was lost, a process failed, or a user was
shown that something is locked.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.console import positive, print_line
from resonance_engine.store.recovery.check import check_store
from tests.e2e.home import Home, album, new_home
from tests.reliability.scenarios import IMPORTING
from tests.reliability.shared_homes import server_if, writing

if TYPE_CHECKING:
    from collections.abc import Iterable

PATIENCE = 300.0
KNOWN, NEW = 4, 3
# Of two analyses, the second one leaves the work to the first.
LEFT_TO_ANOTHER = "another analysis is running"
# What a user must not be shown; the first is SQLite's, the second ours.
SHOWN = ("database is locked", "is being written by another program", "Traceback")
QUERIES = (
    ("similar", "title:=Song 0"),
    ("playlist", "title:=Song 1"),
    ("resonance", "status"),
    ("similar", "--json", "title:=Song 2"),
    ("ls", "similar:1"),
)


def run_rounds(folder: Path, rounds: int, readers: int, address: str = "") -> list[str]:
    """What went wrong, a line each."""
    home = new_home(folder / "home", address, **{"import": {**IMPORTING, "copy": True}})
    home.beet("import", str(album(folder / "known", KNOWN)))
    wrong, count = [], KNOWN
    for number in range(rounds):
        inboxes = [
            album(folder / f"inbox-{number}-{each}", NEW, count + each * NEW, f"{number} {each}") for each in (0, 1)
        ]
        count += 2 * NEW
        wrong += together(home, [*(("import", str(inbox)) for inbox in inboxes), *QUERIES])
        wrong += missing(home, count)
        more = album(folder / f"later-{number}", NEW, count, f"later {number}")
        count += NEW
        home.beet("-P", "resonance", "import", str(more))
        wrong += together(home, [("resonance", "analyze"), ("resonance", "analyze"), *QUERIES[:2]])
        wrong += missing(home, count)
        wrong += beside_a_writer(home, readers)
        print_line(f"round {number + 1}: {count} tracks, {len(wrong)} wrong")
        sys.stdout.flush()
    return wrong


def together(home: Home, commands: Iterable[tuple[str, ...]]) -> list[str]:
    """Start all of the commands at once, and say which failed or said what nobody wants to read."""
    running = [(command, home.process(*command)) for command in commands]
    wrong = []
    for command, process in running:
        with process:
            out, err = process.communicate(timeout=PATIENCE)
        said = next((each for each in SHOWN if each in out + err), None)
        if said or (process.returncode and LEFT_TO_ANOTHER not in err):
            wrong.append(f"beet {' '.join(command)}: exit status {process.returncode}, {err.strip()[-300:]}")
    return wrong


def beside_a_writer(home: Home, readers: int) -> list[str]:
    """Queries that have to come to their end while a transaction on the sidecar, with rows in it, stays open."""
    if home.address:
        with writing(home.address):
            return together(home, [QUERIES[number % len(QUERIES)] for number in range(readers)])
    with closing(sqlite3.connect(home.sidecar, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO state (key, value) VALUES ('half', '1')")
        wrong = together(home, [QUERIES[number % len(QUERIES)] for number in range(readers)])
        if not writer.in_transaction:
            wrong.append("the transaction ended before its readers")
        writer.execute("ROLLBACK")
    return wrong


def missing(home: Home, count: int) -> list[str]:
    """Whether every one of the tracks is in the library, linked, embedded and sound."""
    with home.store() as store:
        model = store.models.active()
        assert model is not None, "something is analysed"
        tracks = store.tracks.all(home.library_id(store))
        heard = store.vectors.embedded({track.content_key for track in tracks.values()}, model.id)
        counts = (len(home.titles()), len(tracks), len(heard))
        problems = check_store(store, model.id)
    found = [] if counts == (count,) * 3 else [f"of {count} tracks, {counts} are in the library, linked and embedded"]
    return found + problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--readers", type=positive, default=10)
    parser.add_argument("--keep", type=Path, help="an empty folder for the home, which is kept")
    parser.add_argument("--postgresql", action="store_true", help="with the sidecar in a server started for it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="resonance-concurrency-", ignore_cleanup_errors=True) as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with server_if(options.postgresql) as server:
            address = server.create_database() if server else ""
            wrong = run_rounds(folder, options.rounds, options.readers, address)
    for line in wrong:
        print_line(line)
    processes = options.rounds * (2 + len(QUERIES) + 4 + options.readers)
    print_line(f"{processes} processes in {options.rounds} rounds: {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
