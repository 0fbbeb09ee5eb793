"""Batches as the analysis of a library writes them, into a sidecar that grows."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from resonance_engine.errors import AudioError
from resonance_engine.index.files import open_index
from resonance_engine.ingest import BATCH_FILES, Ingest, Job
from resonance_engine.store import Analysis, Embedding, Store, Windows
from resonance_engine.store.opening import open_store
from resonance_engine.store.recovery.check import check_store
from resonance_engine.worker.worker import FileAnalysis, ModelDescription
from tests.embeddings import key, unit_vectors
from tests.reliability.crash_harness import LATEST, CrashFindings, WriterLog, left_behind
from tests.reliability.home_state import unsound
from tests.reliability.shared_homes import export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.postgresql_server import PostgresServer
    from tests.reliability.crash_harness import Announce

WIDTH = 128
FACETS = ("timbre", "rhythm", "mood")
WINDOWS = 4
MODEL = ModelDescription("c" * 16, "made up", "1", WIDTH, FACETS, ("calm", "loud", "sad"))
FILE = "resonance.db"
BATCHES_AT_A_TIME = 20
FAILS = 13  # one file of so many
NEAREST = 10


def fails(number: int) -> bool:
    return number % FAILS == 5


def made_up(number: int) -> FileAnalysis:
    """What a model would hear in the recording of this number, always the same."""
    vectors = unit_vectors(1 + len(FACETS) + WINDOWS, WIDTH, seed=number)
    facets = dict(zip(FACETS, vectors[1:], strict=False))
    gates = dict(zip(FACETS, (0.5, 0.25, 0.25), strict=True))
    tags = dict(zip(MODEL.tags, (0.5, 0.25, (number % 8) / 8), strict=True))
    windows = Windows(tuple(2.5 * place for place in range(WINDOWS)), vectors[1 + len(FACETS) :])
    embedding = Embedding(vectors[0], facets, gates, windows, tags)
    return FileAnalysis(Path(f"{number}.flac"), key(number), 2.0, embedding, Analysis("1", {"tempo": float(number)}))


class StandIn:
    """Hears made-up recordings in files called by their numbers, and says when a batch is full."""

    def __init__(self, announce: Announce) -> None:
        self.announce = announce
        self.begins = True

    def description(self) -> ModelDescription:
        return MODEL

    def analyse(
        self, paths: Iterable[Path], is_known: Callable[[bytes], bool]
    ) -> Iterator[tuple[Path, FileAnalysis | AudioError]]:
        for path in paths:
            number = int(path.stem)
            if number % BATCH_FILES == BATCH_FILES - 1:
                if self.begins:
                    self.announce("ready")
                    self.begins = False
                self.announce("begun", number + 1 - BATCH_FILES)
            if fails(number) or is_known(key(number)):
                yield path, AudioError(path, "it is made up")
            else:
                yield path, made_up(number)


class Batches:
    """Whole batches or none; what was acknowledged is there as it was."""

    name = "ingest"
    kills_per_home = 8  # the file grows
    latest = LATEST

    def prepare(self, home: Path) -> Any:
        with self.open(home, None) as store:
            store.libraries.get_or_create("home")

    def open(self, home: Path, facts: Any) -> Store:
        """Open the store of a folder."""
        del facts
        return Store(home / FILE)

    def copy(self, home: Path, facts: Any) -> None:
        """Have what is stored as a file in the folder, to be looked at."""

    def write(self, home: Path, facts: Any, first: int, announce: Announce) -> None:
        number = first if first % BATCH_FILES == 0 else first - first % BATCH_FILES + BATCH_FILES
        with self.open(home, facts) as store:
            ingest = Ingest(store, store.libraries.get_or_create("home"), StandIn(announce))
            while True:
                following = number + BATCHES_AT_A_TIME * BATCH_FILES
                jobs = [Job(each, 1.5, home / f"{each}.flac") for each in range(number, following)]
                for outcome in ingest.run(jobs, clock=lambda: 0.0):
                    announce("done", outcome.job.item_id)
                    if outcome.job.item_id % BATCH_FILES == 0:
                        announce("generation", store.generation)
                number = following

    def examine(self, home: Path, facts: Any, log: WriterLog) -> CrashFindings:
        path = home / FILE
        self.copy(home, facts)
        left = left_behind(home)
        losses = unsound(path)
        with self.open(home, facts) as store:
            losses += check_store(store, MODEL.id)
            if store.generation < log.generation:
                losses.append(f"generation {log.generation} was acknowledged, and {store.generation} is there")
            losses += disagreements(store, MODEL.id, path)
        return CrashFindings(losses + batch_losses(path, log.done), left, left_behind(home))


class SharedBatches(Batches):
    """The same in the databases of a server."""

    name = "ingest, shared"
    latest = 3 * LATEST  # a transaction takes longer

    def __init__(self, server: PostgresServer) -> None:
        self.server = server

    def prepare(self, home: Path) -> Any:
        address = self.server.create_database(f"batches_{home.name.rpartition('-')[2]}")
        with open_store(address) as store:
            store.libraries.get_or_create("home")
        return address

    def open(self, home: Path, facts: Any) -> Store:
        del home
        return open_store(facts)

    def copy(self, home: Path, facts: Any) -> None:
        export(facts, home / FILE)


def batch_losses(path: Path, done: Iterable[int]) -> list[str]:
    """Where the file is not the sum of whole batches, with all in it that was acknowledged."""
    with closing(sqlite3.connect(path)) as connection:
        found = {table: rows(connection, table) for table in COLUMNS}
    present = {int.from_bytes(row[0], "big") for row in found["vector"]} | {row[0] for row in found["track"]}
    present |= {int(Path(row[0].decode()).stem) for row in found["failure"]}
    gone = sorted(set(done) - present)
    losses = [f"{len(gone)} acknowledged files are lost, such as {gone[0]}"] if gone else []
    batches = {number // BATCH_FILES for number in present}
    wanted = expected(
        path.parent,
        [each for batch in sorted(batches) for each in range(batch * BATCH_FILES, (batch + 1) * BATCH_FILES)],
    )
    for table, whole in wanted.items():
        if whole != found[table]:
            missing, more = len(whole - found[table]), len(found[table] - whole)
            losses.append(f"table {table}: {missing} rows of batches that are there lack, {more} are none of theirs")
    return losses


COLUMNS = {
    "vector": "content_key, model_id, kind, gate, data",
    "window": "content_key, model_id, position, start, data",
    "tag": "content_key, model_id, data",
    "analysis": "content_key, extractor_version, attributes",
    "track": "item_id, added, size, mtime_ns, content_key",
    "failure": "path, size, mtime_ns, reason, tries",
}


def rows(connection: sqlite3.Connection, table: str) -> set[tuple[Any, ...]]:
    return set(connection.execute(f"SELECT {COLUMNS[table]} FROM {table}"))  # noqa: S608 - names from above


def expected(home: Path, numbers: Iterable[int]) -> dict[str, set[tuple[Any, ...]]]:
    """The rows of these files."""
    tables: dict[str, set[tuple[Any, ...]]] = {table: set() for table in COLUMNS}
    for number in numbers:
        if fails(number):
            tables["failure"].add((bytes(home / f"{number}.flac"), 0, 0, "it is made up", 1))
            continue
        heard = made_up(number)
        embedding, analysis, name = heard.embedding, heard.analysis, key(number)
        assert embedding is not None
        assert embedding.windows is not None
        assert analysis is not None
        tables["track"].add((number, 1.5, 0, 0, name))
        tables["analysis"].add((name, analysis.extractor_version, json.dumps(analysis.attributes)))
        tables["tag"].add((name, MODEL.id, halves(np.array([*embedding.tags.values()]))))
        tables["vector"].add((name, MODEL.id, "embedding", None, halves(embedding.vector)))
        for kind, vector in embedding.facets.items():
            tables["vector"].add((name, MODEL.id, kind, embedding.gates[kind], halves(vector)))
        for position, (start, vector) in enumerate(
            zip(embedding.windows.starts, embedding.windows.vectors, strict=True)
        ):
            tables["window"].add((name, MODEL.id, position, start, halves(vector)))
    return tables


def halves(vector: Any) -> bytes:
    """A vector as the file holds it."""
    return bytes(np.asarray(vector).astype("<f2").tobytes())


def disagreements(store: Store, model_id: str, path: Path) -> list[str]:
    """Where the index beside a file does not say what a look at all of its embeddings says."""
    with closing(sqlite3.connect(path)) as connection:
        statement = "SELECT id, data FROM vector WHERE model_id = ? AND kind = 'embedding' ORDER BY id"
        found = connection.execute(statement, (model_id,)).fetchall()
    index = open_index(store, model_id, path.parent)
    if index.ids.tolist() != [number for number, _ in found]:
        return ["the index holds other vectors than the file"]
    if not found:
        return []
    vectors = np.stack([np.frombuffer(data, "<f2") for _, data in found]).astype(np.float64)
    queries = vectors[:: max(1, len(vectors) // 3)].astype(np.float32)
    scores, _ = index.nearest(queries, NEAREST)
    brute = -np.sort(-(queries.astype(np.float64) @ vectors.T), axis=1)[:, :NEAREST]
    return [] if np.allclose(scores, brute, atol=1e-6) else ["the index finds other neighbours than a look at all"]
