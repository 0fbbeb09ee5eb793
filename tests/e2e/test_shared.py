"""The real beet on a sidecar in PostgreSQL: everything goes on, for several users at once, and with the server away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.home import Home, album, new_home
from tests.paths import ROOT
from tests.raw_sql import run_sql
from tests.reliability.shared_homes import drop_database

if TYPE_CHECKING:
    from tests.postgresql_server import PostgresServer

SONGS = 6


@pytest.fixture
def home(postgres: PostgresServer, tmp_path: Path) -> Home:
    """A home with a few analysed songs."""
    made = new_home(tmp_path / "anna", postgres.create_database())
    made.beet("import", str(album(tmp_path / "inbox", SONGS)))
    return made


def test_everything_goes_on_with_a_shared_sidecar(home: Home, tmp_path: Path) -> None:
    home.assert_known(SONGS)
    assert not home.sidecar.exists()
    found = home.beet("similar", "-f", "$title", "title:=Song 1")
    assert {"Song 0", "Song 2"} < {*found}
    assert len(home.beet("playlist", "-n", "4", "title:=Song 1")) >= 4
    assert home.beet("resonance", "check") == ["no problems"]
    assert home.beet("resonance", "analyze") == [f"nothing to do: all {SONGS} tracks are analysed"]
    home.beet("resonance", "map", "-o", str(tmp_path / "map.html"))
    home.beet("resonance", "apart", "title:=Song 0", "--and", "title:=Song 1")
    assert home.beet("ls", "-f", "$title", "res_bpm:1..", "title:=Song 3") == ["Song 3"]
    home.beet("resonance", "analyze", "--passages")
    home.beet("remove", "-f", "title:=Song 5")
    home.assert_known(SONGS - 1)
    assert home.beet("resonance", "prune")[0].startswith("dropped 1 recording")


def test_what_one_analysed_another_does_not(home: Home, tmp_path: Path) -> None:
    other = new_home(tmp_path / "bert", home.address, resonance={"threads": 1, "auto": "no"})
    other.beet("import", str(album(tmp_path / "inbox", SONGS)))
    other.beet("import", str(album(tmp_path / "more", 1, SONGS, "More")))
    assert other.beet("resonance", "analyze", "--pretend")
    before = home.recordings()
    other.beet("resonance", "analyze")
    assert other.recordings() == before + 1
    for each, count in ((home, SONGS), (other, SONGS + 1)):
        each.assert_known(count)
    # Of one name, and each its own: what one removes, the other keeps.
    home.beet("remove", "-f", "title:=Song 0")
    assert "Song 0" in other.beet("similar", "-f", "$title", "title:=Song 2")
    assert "Song 0" not in home.beet("similar", "-f", "$title", "title:=Song 2")


def test_a_library_that_moves_is_the_same_one(home: Home, tmp_path: Path) -> None:
    moved = replace(home, path=home.path.rename(tmp_path / "elsewhere"))
    moved.configure(directory=str(moved.music))
    assert len(moved.tracks()) == SONGS
    moved.assert_known(SONGS)


def test_a_copy_to_postgresql_and_back_is_equal(postgres: PostgresServer, tmp_path: Path) -> None:
    home = new_home(tmp_path / "anna")
    home.beet("import", str(album(tmp_path / "inbox", SONGS)))
    home.beet("resonance", "apart", "title:=Song 0", "--and", "title:=Song 1")
    found = home.beet("similar", "title:=Song 1")
    address = postgres.create_database()
    lines = home.beet("resonance", "sidecar", "copy", address)
    assert lines[0].startswith(f"{SONGS} recordings, {SONGS} tracks and ")
    assert "`sidecar: ADDRESS`" in lines[1]
    assert "is not empty" in home.fails("resonance", "sidecar", "copy", address)
    home.sidecar.rename(home.sidecar.with_suffix(".away"))
    shared = replace(home, address=address)
    shared.configure()
    shared.assert_known(SONGS)
    assert shared.beet("similar", "title:=Song 1") == found
    assert "is there already" in shared.fails("resonance", "sidecar", "copy", str(home.path / "library.db"))
    shared.beet("resonance", "sidecar", "copy", str(home.sidecar))
    home.configure()
    home.assert_known(SONGS)
    assert home.beet("similar", "title:=Song 1") == found
    assert "'title:=Song 0'  never with  'title:=Song 1'" in home.beet("resonance", "apart")[0]


def test_two_libraries_that_were_copied_share_a_database_and_stay_two(postgres: PostgresServer, tmp_path: Path) -> None:
    counts = {"anna": SONGS, "bert": 2}
    homes = []
    for name, count in counts.items():
        alone = new_home(tmp_path / name)
        alone.beet("import", str(album(tmp_path / f"inbox of {name}", count, len(name) * len(homes))))
        homes.append(replace(alone, address=postgres.create_database()))
        alone.beet("resonance", "sidecar", "copy", homes[-1].address)
    anna, bert = homes[0], replace(homes[1], address=homes[0].address)
    refused = bert.fails("resonance", "sidecar", "copy", anna.address)
    assert "name it as `sidecar` in the configuration and run `beet resonance analyze`" in refused
    for home in (anna, bert):
        home.configure()
    bert.beet("resonance", "analyze")
    for home, count in zip((anna, bert), counts.values(), strict=True):
        home.assert_known(count)
    with anna.store() as store:
        assert [row.name.partition(":")[2] for row in store.libraries.all()] == [str(anna.library), str(bert.library)]


def test_a_server_that_goes_away_costs_a_sentence(home: Home, tmp_path: Path) -> None:
    away = replace(home, address="postgresql+psycopg://anna:s3cret@127.0.0.1:1/music")
    away.configure()
    for command in (("similar", "title:=Song 1"), ("resonance", "status"), ("playlist", "title:=Song 1")):
        error = away.fails(*command)
        assert "No PostgreSQL server answers for postgresql://anna@127.0.0.1:1/music" in error
        assert "s3cret" not in error
    # beets imports all the same; the fields are empty, and a line tells why.
    status, _, err = away.run("import", str(album(tmp_path / "more", 2, SONGS, "More")))
    assert status == 0
    assert "No PostgreSQL server answers" in err
    assert len(away.titles()) == SONGS + 2
    status, out, err = away.run("ls", "-f", "$title $res_bpm", "title:=Song 1")
    assert (status, out.strip()) == (0, "Song 1")
    # As soon as it is back, the rest is caught up with.
    home.configure()
    home.beet("resonance", "analyze")
    home.assert_known(SONGS + 2)


def test_a_server_that_goes_away_in_the_midst_of_an_analysis_loses_nothing_that_was_kept(
    postgres: PostgresServer, home: Home, tmp_path: Path
) -> None:
    home.beet("-P", "resonance", "import", str(album(tmp_path / "more", 40, SONGS, "More")))
    with home.process("resonance", "analyze") as process:
        deadline = time.monotonic() + 100
        while home.recordings() == SONGS:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        name = home.address.rpartition("?")[0].rpartition("/")[2]
        postgres.server.psql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false;")
        postgres.server.psql(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}';"  # noqa: S608 - ours
        )
        _, err = process.communicate(timeout=100)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "was lost" in err or "refuses the connection" in err
    postgres.server.psql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true;")
    kept = home.recordings()
    assert SONGS < kept < SONGS + 40
    home.beet("resonance", "analyze")
    home.assert_known(SONGS + 40)


def test_a_database_that_is_new_or_gone_is_filled_again(home: Home) -> None:
    drop_database(home.address)
    assert "does not exist" in home.fails("resonance", "status")
    beginning, _, place = home.address.rpartition("?")
    server, _, name = beginning.rpartition("/")
    run_sql(f"{server}/postgres?{place}", f"CREATE DATABASE {name}")
    assert "(not made yet)" in "\n".join(home.beet("resonance", "status"))
    home.beet("resonance", "analyze")
    home.assert_known(SONGS)


def test_passwords_are_in_no_output_log_or_command_line(postgres: PostgresServer, tmp_path: Path) -> None:
    address = postgres.create_database().replace("postgres@", "postgres:s3cret@")
    home = new_home(tmp_path / "anna", address, resonance={"threads": 1, "auto": "background", "hours": "03:00-03:01"})
    status, out, err = home.run("-vv", "import", str(album(tmp_path / "inbox", 2)))
    assert status == 0
    seen = [out, err]
    deadline = time.monotonic() + 100
    while not (commands := background_commands(home)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    seen += commands
    try:
        for command in (["resonance", "status"], ["config"], ["resonance", "check"], ["similar", "nothing"]):
            seen += [str(part) for part in home.run("-vv", *command)]
    finally:
        home.run("resonance", "stop")
    seen += [path.read_text(errors="replace") for path in home.path.rglob("*") if path.suffix in (".json", ".lock")]
    assert not [text for text in seen if "s3cret" in text]


def background_commands(home: Home) -> list[str]:
    """The command lines of the background processes of a home."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if "beetsplug.resonance.background" in words and str(home.library) in words:
            found.append(words)
    return found


def test_nothing_of_the_extra_is_loaded_without_an_address(tmp_path: Path) -> None:
    home = new_home(tmp_path / "anna")
    home.beet("import", str(album(tmp_path / "inbox", 2)))
    script = """
import json, sys
from beets import ui
try:
    ui.main(json.loads(sys.argv[1]))
except SystemExit:
    pass
print([name for name in sys.modules if name.split(".")[0] in ("psycopg", "pgvector", "psycopg_binary")])
"""
    for command in (["similar", "title:=Song 1"], ["resonance", "status"], ["resonance", "analyze"]):
        done = subprocess.run(
            [sys.executable, "-c", script, json.dumps(command)],
            env={**home.environment, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.splitlines()[-1] == "[]"


def test_without_the_extra_the_error_names_it(tmp_path: Path) -> None:
    home = new_home(tmp_path / "anna", "postgresql+psycopg://anna@nas/music")
    stub = tmp_path / "stub"
    stub.mkdir()
    (stub / "psycopg.py").write_text("raise ImportError('No module named psycopg')\n")
    hidden = {**home.environment, "PYTHONPATH": os.pathsep.join([str(stub), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-m", "beets", "resonance", "status"], env=hidden, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "needs psycopg and pgvector" in done.stderr
    assert "pip install '.[scale]'" in done.stderr
    assert "Traceback" not in done.stderr
