"""What is killed: the commands, each with a home that is prepared once and cloned for every trial."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.audio_files import tune, write_audio
from tests.e2e.home import Home, album, new_home
from tests.paths import ROOT
from tests.reliability.shared_homes import OF_A_FILE, clone_database, share

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tests.postgresql_server import PostgresServer

VERSION_1 = ROOT / "tests" / "data" / "store_v1.db.gz"
SECOND_MODEL = ROOT / "resonance_engine" / "models" / "default-int8" / "model.onnx"
OWN = "own"
KNOWN, NEW, PER_ALBUM = 8, 8, 2
ROWS = 20_000  # so that what goes over all of them takes a while
COPIES, DAMAGED = 2_000, 500
SYNTHETIC = 600  # tracks without files
QUESTIONS = 10  # of a `teach`
DENSE, DENSE_SECONDS = 10, 40  # songs with several windows
IMPORTING = {"write": False, "resume": False, "autotag": False, "quiet": True}
ANALYSING = {"auto": "import", "threads": 1}


@dataclass(frozen=True)
class Scenario:
    """A command that is killed, in a clone of `home`; `rest` are the commands that complete what it began.

    `imports` says that beets' own rows change, `retags` that genres of its items do, `replaces` that stored vectors
    may be dropped on purpose. `reverts` is a command that afterwards gives the items back as they were; `answers` is
    the number of questions that the command has on a terminal.
    """

    name: str
    home: Home
    arguments: tuple[str, ...]
    rest: tuple[tuple[str, ...], ...]
    settings: dict[str, object] = field(default_factory=dict)
    imports: bool = False
    retags: bool = False
    reverts: tuple[str, ...] = ()
    answers: int = 0
    replaces: frozenset[tuple[bytes, str, str]] = frozenset()

    def clone(self, path: Path) -> Home:
        """A home of its own with the same music, in the state before the command."""
        left_out = ("resonance.db*", "*.index") if self.home.address else ()
        shutil.copytree(self.home.path, path, ignore=shutil.ignore_patterns("music", "output.txt", *left_out))
        made = Home(path, clone_database(self.home.address) if self.home.address else "")
        configure(made, self.home.music if self.settings.get("copy") is not True else made.music, **self.settings)
        return made


def configure(home: Home, music: Path, copy: bool = False, **resonance: object) -> None:
    home.configure(
        directory=str(music), **{"import": {**IMPORTING, "copy": copy}, "resonance": {**ANALYSING, **resonance}}
    )


def scenarios(folder: Path, server: PostgresServer | None = None) -> list[Scenario]:
    """All of them, prepared below a folder; with a server, those over sidecars in it."""
    known = folder / "known"
    for first in range(0, KNOWN, PER_ALBUM):
        album(known / str(first), PER_ALBUM, first, f"Album {first}")
    new = folder / "new"
    for first in range(KNOWN, KNOWN + NEW, PER_ALBUM):
        album(new / str(first), PER_ALBUM, first, f"Album {first}")
    base = new_home(folder / "base")
    configure(base, base.music)
    base.beet("import", str(known))
    base.beet("similar", "title:=Song 0")
    makers: list[Callable[[Path, Home, Path], list[Scenario]]] = [imports, analysis, playlist, index, switch]
    made = [story for make in (*makers, migration, repair, passages) for story in make(folder, base, new)]
    made += synthetic_scenarios(folder)
    return [share(story, server) for story in made if story.name not in OF_A_FILE] if server else made


def variant(folder: Path, base: Home, name: str) -> Home:
    """A copy of the base to be changed, over the same music."""
    shutil.copytree(base.path, folder / name)
    made = Home(folder / name)
    configure(made, base.music)
    return made


def imports(folder: Path, base: Home, new: Path) -> list[Scenario]:
    command, then = ("import", str(new)), ("resonance", "analyze")
    home = variant(folder, base, "importing")
    return [
        Scenario("import, in place", home, command, (command, then), imports=True),
        Scenario("import, copying", home, command, (command, then), {"copy": True}, imports=True),
    ]


def analysis(folder: Path, base: Home, new: Path) -> list[Scenario]:
    home = variant(folder, base, "analysing")
    home.beet("-P", "resonance", "import", str(new))
    command = ("resonance", "analyze")
    return [Scenario("resonance analyze", home, command, (command,))]


def playlist(folder: Path, base: Home, _: Path) -> list[Scenario]:
    home = variant(folder, base, "listing")
    home.beet("playlist", "-n", "3", "-o", str(home.path / "list.m3u8"), "title:=Song 1")
    command = ("playlist", "-o", "list.m3u8", "title:=Song 0")
    return [Scenario("playlist -o, over a list", home, command, (command,))]


def index(folder: Path, base: Home, _: Path) -> list[Scenario]:
    stale = variant(folder, base, "stale")
    grow(stale, ROWS)
    missing = variant(folder, stale, "missing")
    for file in missing.path.glob("*.index"):
        file.unlink()
    command = ("similar", "--json", "title:=Song 0")
    return [
        Scenario("similar, stale index", stale, command, (command,)),
        Scenario("similar, no index", missing, command, (command,)),
    ]


def switch(folder: Path, base: Home, _: Path) -> list[Scenario]:
    home = variant(folder, base, "switching")
    own = home.path / "resonance-models" / OWN
    own.mkdir(parents=True)
    (own / "model.onnx").symlink_to(SECOND_MODEL)
    command = ("resonance", "model", "use", OWN)
    return [Scenario("resonance model use", home, command, (command,))]


def migration(folder: Path, base: Home, _: Path) -> list[Scenario]:
    grown = variant(folder, base, "grown")
    grow(grown, ROWS)
    home = variant(folder, grown, "migrating")
    for file in home.path.glob("*.index"):  # its numbers are those of another file
        file.unlink()
    home.sidecar.write_bytes(gzip.decompress(VERSION_1.read_bytes()))
    with closing(sqlite3.connect(home.sidecar)) as connection, connection:
        connection.execute("ATTACH ? AS full", (str(grown.sidecar),))
        connection.execute("UPDATE model SET active = 0")
        for table, columns in {
            "library": "id + 1, uuid, name",
            "model": "id, name, version, dimensions, modalities, active",
            "track": "library_id + 1, item_id, added, size, mtime_ns, content_key",
            "window": "*",
            "analysis": "*",
        }.items():
            rows = f"SELECT {columns} FROM full.{table} WHERE true"  # noqa: S608 - names from above
            connection.execute(f"INSERT OR IGNORE INTO {table} {rows}")
        # Its own vectors have the first ids.
        kept = "content_key, model_id, kind, generation, gate, data"
        connection.execute(f"INSERT INTO vector ({kept}) SELECT {kept} FROM full.vector")  # noqa: S608
        connection.execute("UPDATE state SET value = (SELECT value FROM full.state s WHERE s.key = state.key)")
        connection.execute("UPDATE state SET value = '0.5' WHERE value IS NULL")
    with closing(sqlite3.connect(home.sidecar)) as connection:
        connection.execute("VACUUM")
    command = ("similar", "--json", "title:=Song 0")
    return [Scenario("migration from version 1", home, command, (command,))]


def repair(folder: Path, base: Home, _: Path) -> list[Scenario]:
    home = variant(folder, base, "damaged")
    with closing(sqlite3.connect(home.sidecar)) as connection, connection:
        copies = copied(connection, COPIES)
        # The whole recording is dropped, so the facets of a real one are replaced with it.
        real = connection.execute("SELECT DISTINCT content_key FROM track ORDER BY item_id LIMIT 2")
        keys = [*(key for (key,) in real), *copies[:DAMAGED]]
        statement = "UPDATE vector SET data = zeroblob(length(data)) WHERE kind = 'embedding' AND content_key = ?"
        connection.executemany(statement, [(key,) for key in keys])
        rows = connection.execute("SELECT content_key, model_id, kind FROM vector")
        replaced = frozenset(row for row in rows if row[0] in set(keys))
    command = ("resonance", "check", "--repair")
    return [Scenario("check --repair", home, command, (command, ("resonance", "analyze")), replaces=replaced)]


def passages(folder: Path, base: Home, _: Path) -> list[Scenario]:
    home = variant(folder, base, "dense")
    for number in range(DENSE):
        tags = {"title": f"Long {number}", "artist": f"Artist {number % 2}", "album": f"Long {number // PER_ALBUM}"}
        path = folder / "long" / str(number // PER_ALBUM) / f"{number}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_audio(path, tune(DENSE_SECONDS, 22050, seed=100 + number), 22050, metadata=tags)
    home.beet("import", str(folder / "long"))
    home.beet("similar", "title:=Song 0")
    command = ("resonance", "analyze", "--passages")
    return [Scenario("analyze --passages", home, command, (command,))]


def synthetic_scenarios(folder: Path) -> list[Scenario]:
    """What learns from a library or writes to it, in one of made-up embeddings."""
    # beets must not be loaded by the harness, whose threads would share its configuration.
    source = "import sys, pathlib; from benchmarks.synthetic_library import create_library as create; "
    create = f"{source}print(create(pathlib.Path(sys.argv[1]), {SYNTHETIC}))"
    made = subprocess.run(
        [sys.executable, "-c", create, str(folder / "synthetic")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    home = Home(Path(made.stdout.strip()))
    configure(home, home.music)
    home.beet("similar", "title:=Song 2")
    return [*tagging(folder, home), *taste(folder, home), *drawing(folder, home)]


def tagging(folder: Path, base: Home) -> list[Scenario]:
    home = variant(folder, base, "untagged")
    genres = genres_by_sound(home)
    with closing(sqlite3.connect(home.library)) as connection, connection:
        connection.executemany("UPDATE items SET genres = ? WHERE id = ?", [(genre, each) for each, genre in genres])
        connection.execute("UPDATE items SET genres = '' WHERE id % 3 = 0")
    write, undo = ("resonance", "tag", "--write", "--yes"), ("resonance", "tag", "--undo")
    tagged = variant(folder, home, "tagged")
    tagged.beet(*write)
    return [
        Scenario("tag --write", home, write, (write,), retags=True, reverts=undo),
        Scenario("tag --undo", tagged, undo, (write, undo), retags=True),
    ]


def genres_by_sound(home: Home) -> list[tuple[int, str]]:
    """A genre for each item, by the side that its embedding lies on: neighbours confirm it, so that it is written."""
    with closing(sqlite3.connect(home.sidecar)) as connection:
        rows = connection.execute(
            "SELECT item_id, data FROM track JOIN vector USING (content_key) WHERE kind = 'embedding'"
        ).fetchall()
    vectors = np.stack([np.frombuffer(data, "<f2") for _, data in rows]).astype(np.float32)
    axis = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)[2][0]
    sides = (vectors @ axis > np.median(vectors @ axis)).tolist()
    return [(item_id, "jazz" if side else "rock") for (item_id, _), side in zip(rows, sides, strict=True)]


def taste(folder: Path, base: Home) -> list[Scenario]:
    home = variant(folder, base, "listening")
    with closing(sqlite3.connect(home.library)) as connection:
        rows = connection.execute("SELECT year, path FROM items ORDER BY id").fetchall()
    lists: dict[int, list[str]] = {}
    for year, path in rows:
        lists.setdefault(year, []).append(f"{home.music / os.fsdecode(path)}\n")
    for year, lines in lists.items():
        (home.path / f"{year}.m3u8").write_text("".join(lines), encoding="utf-8")
    train = ("resonance", "train", "--from-playlists", str(home.path / "*.m3u8"))
    teach = ("resonance", "teach")
    return [
        Scenario("train --from-playlists", home, train, (train,)),
        Scenario("teach", variant(folder, base, "teaching"), teach, (teach,), answers=QUESTIONS),
    ]


def drawing(folder: Path, base: Home) -> list[Scenario]:
    home = variant(folder, base, "drawing")
    command = ("resonance", "map", "-o", "map.html")
    return [Scenario("map", home, command, (command,))]


def copied(connection: sqlite3.Connection, count: int) -> list[bytes]:
    """Give a sidecar so many more recordings, each with all that is known of a real one; gives their keys."""
    keys = [number.to_bytes(16, "big") for number in range(count)]
    [real] = connection.execute("SELECT content_key FROM track ORDER BY item_id DESC LIMIT 1").fetchone()
    for table, columns in {
        "vector": "model_id, kind, generation, gate, data",
        "window": "model_id, position, start, data",
        "tag": "model_id, data",
        "analysis": "extractor_version, attributes",
    }.items():
        rows = f"SELECT ?, {columns} FROM {table} WHERE content_key = ?"  # noqa: S608 - names from above
        statement = f"INSERT INTO {table} (content_key, {columns}) {rows}"
        connection.executemany(statement, [(key, real) for key in keys])
    return keys


def grow(home: Home, rows: int) -> None:
    """Give a sidecar the embeddings of that many recordings that are in no library."""
    with closing(sqlite3.connect(home.sidecar)) as connection, connection:
        [model, dimensions] = connection.execute("SELECT id, dimensions FROM model WHERE active").fetchone()
        [generation] = connection.execute("SELECT value FROM state WHERE key = 'generation'").fetchone()
        later = json.loads(generation) + 1
        made = enumerate(directions(rows, dimensions))
        connection.executemany(
            "INSERT INTO vector (content_key, model_id, kind, generation, data) VALUES (?, ?, 'embedding', ?, ?)",
            ((number.to_bytes(16, "big"), model, later, vector.tobytes()) for number, vector in made),
        )
        connection.execute("UPDATE state SET value = ? WHERE key = 'generation'", (json.dumps(later),))


def directions(count: int, width: int) -> NDArray[np.float16]:
    vectors = np.random.default_rng(0).standard_normal((count, width)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype("<f2")
