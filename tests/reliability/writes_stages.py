"""What changes a sidecar in steps, each of which has happened or has not: migration, prune, repair, another model."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.index.files import open_index
from resonance_engine.store import Embedding, Model, Store, TrackRow, Windows
from resonance_engine.store.recovery.check import check_store, incomplete_recordings
from resonance_engine.store.recovery.repair import drop_incomplete, repair_store
from resonance_engine.store.recovery.salvage import salvage
from tests.embeddings import key, unit_vectors
from tests.paths import DATA
from tests.reliability.crash_harness import LATEST, CrashFindings, WriterLog, left_behind
from tests.reliability.home_state import unsound
from tests.reliability.writes_ingest import disagreements, halves

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.reliability.crash_harness import Announce

    Step = Callable[[Path], object]
    State = dict[str, str]

FILE = "resonance.db"
FIRST_VERSION = DATA / "store_v1.db.gz"
WIDTH = 512
WINDOWS = 6
RECORDINGS, LINKED = 200, 60  # what is pruned is worth compacting the file
CHUNK = 40
OLD = Model("old", "old", "1", WIDTH, {"timbre": WIDTH, "rhythm": 64}, tags=("calm", "loud"))
NEW = replace(OLD, id="new", name="new")
# Times and generations differ between runs; what they are good for is seen by the index.
VOLATILE = {"vector": ("generation",), "removed": ("generation",), "failure": ("last_tried",)}


def embedding(number: int, model: Model) -> Embedding:
    vectors = unit_vectors(2 + WINDOWS, WIDTH, seed=number + (10_000 if model.id == NEW.id else 0))
    rhythm = unit_vectors(1, 64, seed=number)[0]
    windows = Windows(tuple(2.5 * n for n in range(WINDOWS)), vectors[2:])
    tags = dict.fromkeys(model.tags, 0.5)
    return Embedding(vectors[0], {"timbre": vectors[1], "rhythm": rhythm}, {"timbre": 0.5}, windows, tags)


def fill(folder: Path, linked: int = LINKED, models: tuple[Model, ...] = (OLD,)) -> None:
    """A sidecar with an index beside it; the last of the models is in use."""
    with Store(folder / FILE) as store:
        home = store.libraries.get_or_create("home")
        with store.write():
            for model in models:
                store.models.register(model)
                store.models.activate(model.id)
                store.vectors.put_many(model.id, {key(n): embedding(n, model) for n in range(RECORDINGS)})
            for number in range(RECORDINGS):
                store.analyses.put(key(number), "1", {"tempo": number})
            store.tracks.link_many(home, [TrackRow(n, 1.5, n, n, key(n)) for n in range(linked)])
            store.failures.record(home, b"broken.mp3", 1, 2, "it is broken")
        open_index(store, models[-1].id, folder)


def digest(path: Path) -> State:
    """A fingerprint of the schema, and of the rows of each table."""
    with closing(sqlite3.connect(path)) as connection:
        [version] = connection.execute("PRAGMA user_version").fetchone()
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        present = {"version": str(version)}
        for (table,) in sorted(names):
            cursor = connection.execute(f"SELECT * FROM {table}")  # noqa: S608 - names of ours
            columns = [column for column, *_ in cursor.description]
            steady = [at for at, column in enumerate(columns) if column not in VOLATILE.get(table, ())]
            rows = sorted(repr([row[at] for at in steady]) for row in cursor if row[0] != "generation")
            present[table] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
        return present


class Stages:
    """Steps that are taken in turn on copies of one sidecar, again and again."""

    kills_per_home = 1000  # each copy is new
    latest = LATEST

    def __init__(self, name: str, template: Callable[[Path], None], *steps: Step, whole: bool = True) -> None:
        """`whole`: the store may be opened and passes its check after every step, not after the last alone."""
        self.name = name
        self.template = template
        self.steps = steps
        self.whole = whole

    def state(self, folder: Path, template: Path) -> State:
        del template
        return digest(folder / FILE)

    def prepare(self, home: Path) -> list[State]:
        (home / "template").mkdir()
        self.template(home / "template")
        shutil.copytree(home / "template", home / "undisturbed")
        states = [self.state(home / "undisturbed", home / "template")]
        for step in self.steps:
            step(home / "undisturbed" / FILE)
            states.append(self.state(home / "undisturbed", home / "template"))
        return states

    def write(self, home: Path, facts: Any, first: int, announce: Announce) -> None:
        del facts
        copy = -(-first // len(self.steps))
        shutil.copytree(home / "template", home / f"copy-{copy}")
        announce("ready")
        while True:
            for number, step in enumerate(self.steps, copy * len(self.steps)):
                announce("begun", number)
                step(home / f"copy-{copy}" / FILE)
                announce("done", number)
            copy += 1
            shutil.copytree(home / "template", home / f"copy-{copy}")

    def examine(self, home: Path, facts: list[State], log: WriterLog) -> CrashFindings:
        present = []
        for folder in sorted(home.glob("copy-*")):
            copy = int(folder.name.removeprefix("copy-"))
            begun, done = (sum(n // len(self.steps) == copy for n in numbers) for numbers in (log.begun, log.done))
            if begun:  # else it may be half a copy
                present.append(self.examine_copy(folder, home / "template", facts, begun, done))
            if not (present and present[-1].losses):
                shutil.rmtree(folder)
        losses = [line for each in present for line in each.losses]
        return CrashFindings(losses, sum(each.left for each in present), sum(each.kept for each in present))

    def examine_copy(self, folder: Path, template: Path, states: list[State], begun: int, done: int) -> CrashFindings:
        """Whether a copy is in a state that it can be in, and comes to the last one by the steps that are left."""
        left = left_behind(folder, age=True)
        state = self.state(folder, template)
        step = next((at for at in range(done, begun + 1) if states[at] == state), None)
        if step is None:
            return CrashFindings([f"after {done} to {begun} steps: {differences(state, states[done])}"], left)
        losses = self.sound(folder) if self.whole else []
        losses += self.beside(folder, template, states, step)
        for each in self.steps[step:]:
            each(folder / FILE)
        last = self.state(folder, template)
        if last != states[-1]:
            losses.append(f"completed after {step} steps: {differences(last, states[-1])}")
        elif done < len(self.steps):
            losses += self.sound(folder)
        losses += self.beside(folder, template, states, len(self.steps))
        return CrashFindings(losses, left, left_behind(folder))

    def sound(self, folder: Path) -> list[str]:
        """What SQLite, the store's own check and a search find wrong; one model must be in use."""
        path = folder / FILE
        losses = unsound(path)
        with Store(path) as store:
            model = store.models.active()
            if model is None:
                return [*losses, "no model is in use"]
            losses += check_store(store, model.id, partial=True) + [
                f"{line} lacks" for line in incomplete_recordings(store, model.id).values()
            ]
            return losses + disagreements(store, model.id, path)

    def beside(self, folder: Path, template: Path, states: list[State], step: int) -> list[str]:
        """What is wrong with other files after so many steps."""
        del folder, template, states, step
        return []


def differences(present: State, wanted: State) -> str:
    """The tables that differ."""
    names = sorted(name for name in present.keys() | wanted.keys() if present.get(name) != wanted.get(name))
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} neither as before nor as after"


class Migration(Stages):
    """From the first version to the present one; what is kept of the file is whole."""

    def beside(self, folder: Path, template: Path, states: list[State], step: int) -> list[str]:
        del template
        kept = folder / f"{FILE}.v1.bak"
        if not kept.exists():
            return ["there is no copy of the older file"] if step else []
        return unsound(kept) + (["the copy differs from the older file"] if digest(kept) != states[0] else [])


class Salvage(Stages):
    """Of a damaged file, part of which is in its log; that file is kept."""

    def state(self, folder: Path, template: Path) -> State:
        path = folder / FILE
        # SQLite must not open it: it would write back the log.
        same = path.read_bytes() == (template / FILE).read_bytes()
        return {"main file": "damaged"} if same else digest(path)

    def beside(self, folder: Path, template: Path, states: list[State], step: int) -> list[str]:
        del states
        if not step:
            return []
        for suffix in ("", "-wal"):
            was = (template / f"{FILE}{suffix}").read_bytes()
            if all(path.read_bytes() != was for path in folder.glob(f"{FILE}.damaged-?{suffix}")):
                return [f"the damaged {FILE}{suffix} is not kept"]
        return []


def older(folder: Path) -> None:
    """The file of the first version, grown."""
    path = folder / FILE
    path.write_bytes(gzip.decompress(FIRST_VERSION.read_bytes()))
    with closing(sqlite3.connect(path)) as connection, connection:
        [(model, dimensions)] = connection.execute("SELECT id, dimensions FROM model").fetchall()
        [library] = connection.execute("SELECT id FROM library").fetchone()
        [generation] = connection.execute("SELECT max(generation) FROM vector").fetchone()
        vectors = unit_vectors(1500, dimensions, seed=1)
        for number, vector in enumerate(vectors, 100):
            facet = unit_vectors(1, 4, seed=number)[0]
            for kind, data in (("embedding", vector), ("timbre", vector), ("rhythm", facet)):
                row = (key(number), model, kind, generation, halves(data))
                connection.execute("INSERT INTO vector VALUES (NULL, ?, ?, ?, ?, NULL, ?)", row)
            connection.execute("INSERT INTO window VALUES (?, ?, 0, 0.0, ?)", (key(number), model, halves(vector)))
            connection.execute("INSERT INTO analysis VALUES (?, '1', '{}')", (key(number),))
            connection.execute("INSERT INTO track VALUES (?, ?, 1.5, 1, 1, ?)", (library, number, key(number)))


def flawed(folder: Path) -> None:
    """A sidecar with vectors that are none, facets without embedding, and rows that refer to nothing."""
    fill(folder, RECORDINGS)
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        nothing = halves(np.full(WIDTH, np.nan))
        spoil = "UPDATE vector SET data = ? WHERE kind = 'timbre' AND content_key < ?"
        connection.execute(spoil, (nothing, key(20)))
        connection.execute("DELETE FROM vector WHERE kind = 'rhythm' AND content_key > ?", (key(180),))
        connection.execute("UPDATE tag SET data = x'00' WHERE content_key BETWEEN ? AND ?", (key(40), key(60)))
        connection.execute("UPDATE analysis SET attributes = '{' WHERE content_key > ?", (key(190),))
        connection.execute("INSERT INTO window SELECT content_key, 'none', position, start, data FROM window")


def damaged(folder: Path) -> None:
    """A sidecar with pages of nothing in it, and committed rows that are in its log alone."""
    fill(folder, 120)
    path, away = folder / FILE, folder.parent / "open"
    away.mkdir()
    shutil.copy(path, away)
    with Store(away / FILE) as store:
        store.tracks.link_many(
            store.libraries.get_or_create("home"), [TrackRow(n, 1.5, n, n, key(n)) for n in range(120, RECORDINGS)]
        )
        for suffix in ("", "-wal"):
            shutil.copy(away / f"{FILE}{suffix}", folder)
    content = bytearray(path.read_bytes())
    for page in range(10, len(content) // 16384, 12):
        content[page * 16384 : (page + 1) * 16384] = bytes(16384)
    path.write_bytes(content)


def put(part: int) -> Step:
    """The step that puts some of a second model's recordings."""

    def step(path: Path) -> None:
        numbers = range(part * CHUNK, (part + 1) * CHUNK)
        with Store(path) as store:
            store.vectors.put_many(NEW.id, {key(number): embedding(number, NEW) for number in numbers})

    return step


def within(verb: Callable[[Store], object]) -> Step:
    """The step that a verb of an open store takes."""

    def step(path: Path) -> None:
        with Store(path) as store:
            verb(store)

    return step


DELETIONS = (
    within(lambda store: store.maintenance.prune()),
    within(lambda store: store.maintenance.drop_tombstones()),
    within(lambda store: store.maintenance.compact()),
)
STAGES = (
    Migration("migration", older, within(lambda store: store.models.all()), whole=False),
    Stages("prune", fill, *DELETIONS),
    Stages(
        "repair",
        flawed,
        within(lambda store: repair_store(store, OLD.id)),
        within(lambda store: drop_incomplete(store, OLD.id)),
        whole=False,
    ),
    Salvage("salvage", damaged, salvage, whole=False),
    Stages(
        "forget a model",
        lambda folder: fill(folder, RECORDINGS, (OLD, NEW)),
        within(lambda store: store.models.remove(OLD.id)),
        *DELETIONS[1:],
    ),
    Stages(
        "switch of models",
        lambda folder: fill(folder, RECORDINGS),
        within(lambda store: store.models.register(NEW)),
        *map(put, range(RECORDINGS // CHUNK)),
        within(lambda store: store.models.activate(NEW.id)),
    ),
)
