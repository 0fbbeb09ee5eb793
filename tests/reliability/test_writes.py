"""Kills in the middle of writing lose nothing, and a writer that does lose something is caught."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from resonance_engine.playlist import m3u
from resonance_engine.store.recovery.salvage import salvage
from tests.paths import ROOT
from tests.reliability.crash_harness import CrashFindings, Kill, WriterLog
from tests.reliability.writes import KINDS, main, table
from tests.reliability.writes_files import CatalogFiles, List
from tests.reliability.writes_ingest import FILE, Batches
from tests.reliability.writes_stages import Salvage, Stages, fill

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def killed(*arguments: str, module: str = "tests.reliability.writes") -> tuple[int, list[str]]:
    """In a process of its own: this one has threads, which a fork would tear."""
    command = [sys.executable, "-m", module, *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.returncode, done.stdout.splitlines()


class InPlace(List):
    """A playlist that is written where it stands."""

    name = "playlist in place"

    def put(self, home: Path, number: int, content: list[m3u.M3uEntry]) -> None:
        path = home / "list.m3u8"
        with path.open("wb", buffering=0) as file:
            for line in m3u.format_playlist(content, m3u.base_folder(path), f"similar {number}", True).splitlines(
                keepends=True
            ):
                file.write(line)


def by_parts(path: Path) -> None:
    """Prune in more than one transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for table in ("vector", "window", "tag", "passage", "analysis"):
            connection.execute(f"DELETE FROM {table} WHERE content_key NOT IN (SELECT content_key FROM track)")  # noqa: S608


BAD = (InPlace(), Stages("prune by parts", fill, by_parts))


@pytest.mark.parametrize("kind", ["playlist", "ingest"])
def test_nothing_is_lost_by_a_few_kills(kind: str) -> None:
    status, lines = killed("--kills", "5", "--only", kind)
    assert (status, lines[1].split()[:2]) == (0, [kind, "5"])


@pytest.mark.slow
def test_nothing_is_lost_by_a_hundred_kills() -> None:
    status, lines = killed("--kills", "100")
    assert status == 0, lines
    assert [line.split()[-4] for line in lines[1 : 1 + len(KINDS)]] == ["10"] * len(KINDS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [each.name for each in BAD])
def test_a_writer_that_does_not_write_at_once_is_caught(kind: str) -> None:
    status, lines = killed("--kills", "40", "--only", kind, module="tests.reliability.test_writes")
    assert status == 1
    assert lines[0].startswith("LOST by kill")


def ingested(home: Path, batches: int) -> WriterLog:
    """A folder with so many batches in it, and what the writer of them said."""
    log = WriterLog()

    class FullError(Exception):
        pass

    def announce(word: str, number: int = 0) -> None:
        if word != "ready":
            log.record_lines([f"{word} {number}"])
        if word == "done" and number == batches * 32 - 1:
            raise FullError

    Batches().prepare(home)
    with pytest.raises(FullError):
        Batches().write(home, None, 0, announce)
    return log


LOSSES = {
    "an acknowledged vector": "DELETE FROM vector WHERE content_key IN (SELECT min(content_key) FROM vector)",
    "half of a batch": "DELETE FROM track WHERE item_id > 50",
    "other bytes": "UPDATE window SET start = start + 1 WHERE position = 1",
    "a failure": "DELETE FROM failure WHERE path IN (SELECT min(path) FROM failure)",
}


@pytest.mark.parametrize("loss", ["", *LOSSES])
def test_what_is_lost_of_batches_is_seen(tmp_path: Path, loss: str) -> None:
    log = ingested(tmp_path, 2)
    if loss:
        with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
            connection.execute(LOSSES[loss])
    assert bool(Batches().examine(tmp_path, None, log).losses) == bool(loss)


def test_a_lost_batch_and_an_earlier_generation_are_seen(tmp_path: Path) -> None:
    log = ingested(tmp_path, 1)
    log.record_lines(["begun 32", "done 32", f"generation {log.generation + 1}"])
    losses = Batches().examine(tmp_path, None, log).losses
    assert [line.split()[0] for line in losses] == ["generation", "1"]


@pytest.mark.parametrize("new", ["embeddings.npy", "index.faiss", "meta.json"])
@pytest.mark.parametrize("number", [0, 1], ids=["other model", "other tracks"])
def test_a_catalog_of_which_some_files_are_new_is_old_or_new_or_refused(tmp_path: Path, new: str, number: int) -> None:
    kind, files = CatalogFiles(), ("embeddings.npy", "index.faiss", "meta.json")
    kind.prepare(tmp_path)
    kind.put(tmp_path, number, kind.content(number))
    kind.put(tmp_path / "practice", number + 1, kind.content(number + 1))
    for name in files[: files.index(new) + 1]:
        shutil.copy(tmp_path / "practice" / name, tmp_path)
    there = kind.present(tmp_path, [number])
    if new == "embeddings.npy":
        assert there == number
    elif new == "index.faiss":
        assert kind.refused in str(there)
    else:
        assert kind.present(tmp_path, [number, number + 1]) == number + 1


def test_a_salvage_that_was_killed_before_its_last_step_is_made_up_for(tmp_path: Path) -> None:
    """The log is away by then, and its rows are in the copy of it alone."""
    [kind] = [each for each in KINDS if isinstance(each, Salvage)]
    [_, saved] = kind.prepare(tmp_path)
    path = shutil.copytree(tmp_path / "template", tmp_path / "copy") / FILE
    os.link(path, tmp_path / "copy" / f"{FILE}.damaged-1")
    (tmp_path / "copy" / f"{FILE}-wal").rename(tmp_path / "copy" / f"{FILE}.damaged-1-wal")
    salvage(path)
    assert kind.state(path.parent, tmp_path / "template") == saved


def test_the_table_counts_every_kill_once() -> None:
    nothing: Any = CrashFindings([], left=2, kept=1)
    found = [Kill("index", 0, "in a write", nothing), Kill("ingest", 1, "before", CrashFindings(["a row"]))]
    lines = table(found)
    assert [line.split() for line in lines[1:4]] == [
        ["index", "1", "0", "1", "0", "1", "0", "2", "1"],
        ["ingest", "1", "1", "0", "0", "0", "1", "0", "0"],
        ["all", "2", "1", "1", "0", "1", "1", "2", "1"],
    ]


if __name__ == "__main__":
    sys.exit(main((*BAD, *KINDS)))
