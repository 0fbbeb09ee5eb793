"""Files that are broken, ids that come back, disks that are away, processes that are killed."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.audio_files import write_audio
from tests.e2e.home import Home, album, new_home, song

if TYPE_CHECKING:
    from pathlib import Path


def spoiled(path: Path, seed: int, audio: bytes) -> None:
    """A tagged FLAC of which beets reads the tags, with something else where its audio was."""
    song(path, path.stem, seed)
    content = path.read_bytes()
    start = content.index(b"\xff\xf8", 42)
    path.write_bytes(content[:start] + audio)


def test_broken_files_cost_a_line_each_and_nothing_more(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    album(inbox, 2)
    spoiled(inbox / "Empty.flac", 10, b"")
    spoiled(inbox / "Text.flac", 11, b"these are words and no music\n" * 1000)
    spoiled(inbox / "Random.flac", 12, np.random.default_rng(0).bytes(30_000))
    truncated = song(inbox / "Truncated.mp3", "Truncated", 13)
    os.truncate(truncated, 1200)
    tags = {"title": "Silence", "artist": "Nobody", "album": "Album"}
    write_audio(inbox / "Silence.flac", np.zeros((1, 4 * 22050), np.float32), 22050, metadata=tags)

    home = new_home(tmp_path / "home")
    status, _, err = home.run("import", str(inbox))
    assert status == 0
    assert len(home.titles()) == 7
    reasons = home.reasons()
    broken = {"Empty", "Text", "Random"}
    assert broken <= {name.rpartition(".")[0].split(" ", 1)[-1] for name in reasons}
    assert err.count("resonance: not analysed: ") == len(reasons)

    lines = home.beet("resonance", "status")
    assert f"failed:         {len(reasons)}" in lines
    assert sum(line.startswith("not analysed: ") for line in lines) == len(reasons)
    [line] = home.beet("resonance", "analyze")
    assert line == f"nothing new to analyse, {len(reasons)} left out that failed before"
    found = home.beet("similar", "-f", "$title", "title:song 0")
    assert "Song 1" in found
    assert not broken & set(found)


@pytest.mark.slow
def test_damage_is_found_and_mended(songs: Home, tmp_path: Path) -> None:
    home = songs.clone(tmp_path / "home")
    with closing(sqlite3.connect(home.sidecar)) as connection, connection:
        first, second, *_ = [row[0] for row in connection.execute("SELECT id FROM vector WHERE kind = 'embedding'")]
        connection.execute("UPDATE vector SET data = substr(data, 1, 9) WHERE id = ?", (first,))
        connection.execute("UPDATE vector SET data = zeroblob(length(data)) WHERE id = ?", (second,))
    status, out, err = home.run("resonance", "check")
    assert status == 1
    assert len(out.splitlines()) == 2
    assert err == "error: resonance: 2 problems found; run `beet resonance check --repair`\n"
    assert "Run `beet resonance analyze` for 2 tracks." in home.beet("resonance", "check", "--repair")
    [line] = home.beet("resonance", "analyze")
    assert line.startswith("2 tracks analysed in ")
    assert home.beet("resonance", "check") == ["no problems"]


def test_an_id_that_was_given_again_while_the_plugin_was_off(songs: Home, tmp_path: Path) -> None:
    home = songs.clone(tmp_path / "home")
    last = max(home.tracks())
    before = home.tracks()[last].content_key
    home.beet("-P", "resonance", "remove", "-f", f"id:{last}")
    home.configure(directory=str(songs.music), **{"import": {"copy": False, "autotag": False, "quiet": True}})
    song(tmp_path / "new.flac", "Newcomer", 40)
    home.beet("-P", "resonance", "import", "-s", str(tmp_path / "new.flac"))
    assert home.titles()[last] == "Newcomer", "beets did not give the id again"
    assert "is not analysed yet" in home.fails("similar", "title:newcomer")
    [line] = home.beet("resonance", "analyze")
    assert line.startswith("1 track analysed in ")
    assert home.tracks()[last].content_key != before
    assert home.beet("similar", "title:newcomer", "-n", "1") != []


@pytest.mark.slow
def test_what_changes_behind_beets_back_is_noticed(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    home.beet("import", str(album(tmp_path / "inbox", 2)))
    song(next(home.music.rglob("*Song 0.flac")), "Song 0", 50)
    home.beet("modify", "-y", "-w", "title:song 0", "composer=Nobody")  # must not make the change look known
    [line] = home.beet("resonance", "analyze")
    assert line.startswith("1 track analysed in ")


@pytest.mark.slow
def test_a_disk_that_is_away_is_not_an_empty_library(songs: Home, tmp_path: Path) -> None:
    home = songs.clone(tmp_path / "home")
    home.configure(directory=str(tmp_path / "unmounted"))
    before = home.tracks()
    assert home.fails("resonance", "analyze") == (
        f"error: resonance: no track has its file; is {tmp_path / 'unmounted'} mounted? Nothing was forgotten.\n"
    )
    assert home.tracks() == before
    assert len(home.beet("similar", "title:song 0")) == 5


def test_a_deleted_database_is_made_again(songs: Home, tmp_path: Path) -> None:
    home = songs.clone(tmp_path / "home")
    home.sidecar.unlink()
    [line] = home.beet("resonance", "analyze")
    assert line.startswith("6 tracks analysed in ")
    assert len(home.tracks()) == home.recordings() == 6


@pytest.mark.slow
def test_a_killed_analysis_goes_on_where_it_was(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home", resonance={"auto": "no", "threads": 1})
    total, random = 8, np.random.default_rng(0)
    (tmp_path / "inbox").mkdir()
    for number in range(total):
        noise = random.uniform(-0.3, 0.3, 30 * 8000).astype(np.float32)  # quick to make, and slow to listen to
        write_audio(tmp_path / "inbox" / f"{number}.flac", noise, 8000, metadata={"title": str(number)})
    home.beet("import", "-s", str(tmp_path / "inbox"))
    with home.process("resonance", "analyze") as process:
        while process.poll() is None and not (home.sidecar.exists() and home.recordings()):
            time.sleep(0.05)
        process.kill()
    kept = home.recordings()
    assert kept > 0
    [line] = home.beet("resonance", "analyze")
    done = total - kept
    assert line.startswith(f"{done} track{'s' * (done > 1)} analysed in ") or (done == 0 and line.startswith("nothing"))
    assert home.beet("resonance", "check") == ["no problems"]
    assert home.recordings() == total
