"""A beets of a test's own: the real `beet` in a process of its own, with a library in a temporary folder."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resonance_engine.store.opening import open_store
from tests.audio_files import tune, write_audio
from tests.paths import ROOT

if TYPE_CHECKING:
    from resonance_engine.store import Store, TrackRow

PATIENCE = 600.0  # seconds for a command: what hangs is to be noticed, a busy machine is no failure
MUSIC_FORMATS = (".flac", ".mp3", ".ogg")


@dataclass(frozen=True)
class Home:
    """`path` holds config.yaml, library.db, resonance.db and, unless configured otherwise, the music.

    With an `address`, the sidecar is in that database instead.
    """

    path: Path
    address: str = ""

    @property
    def sidecar(self) -> Path:
        return self.path / "resonance.db"

    @property
    def library(self) -> Path:
        return self.path / "library.db"

    @property
    def music(self) -> Path:
        return self.path / "music"

    def configure(self, **settings: Any) -> None:
        """Write the configuration; strings are quoted as JSON, which is YAML too."""
        every: dict[str, Any] = {
            "plugins": ["resonance"],
            "directory": str(self.music),
            "library": str(self.library),
            "create_backup_before_migrations": False,
            "import": {"copy": True, "write": False, "resume": False, "autotag": False, "quiet": True},
            "resonance": {"threads": 1},
            **settings,
        }
        if self.address:
            every["resonance"] = {**every["resonance"], "sidecar": self.address}
        text = "".join(f"{name}: {json.dumps(value)}\n" for name, value in every.items())
        (self.path / "config.yaml").write_text(text, encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "PYTHONUNBUFFERED")}
        return {**kept, "BEETSDIR": str(self.path), "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}

    def shell(self, script: str) -> tuple[int, str, str]:
        """Exit status, standard output and error output of a script in bash, which calls this `beet`."""
        bash = shutil.which("bash")
        assert bash is not None
        done = subprocess.run(
            [bash, "-c", f'beet() {{ {sys.executable} -m beets "$@"; }}\n{script}'],
            env=self.environment, cwd=self.path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    def process(self, *arguments: str) -> subprocess.Popen[str]:
        """A `beet` that runs beside the test."""
        return subprocess.Popen(
            [sys.executable, "-m", "beets", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=self.path,
        )

    def fails(self, *arguments: str) -> str:
        """What a command says on its way to exit status 1, having printed nothing else."""
        status, out, err = self.run(*arguments)
        assert (status, out) == (1, ""), err
        return err

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, standard output and error output of a command."""
        with self.process(*arguments) as process:
            out, err = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in err, err
        return process.returncode, out, err

    def beet(self, *arguments: str) -> list[str]:
        """The lines that a command prints; it has to succeed."""
        status, out, err = self.run(*arguments)
        assert status == 0, err
        return out.splitlines()

    def titles(self) -> dict[int, str]:
        """The titles in the library, by item id."""
        with closing(sqlite3.connect(self.library)) as connection:
            return dict(connection.execute("SELECT id, title FROM items"))

    def store(self) -> Store:
        return open_store(self.address or self.sidecar)

    def size(self) -> int:
        """The bytes that the sidecar takes."""
        with self.store() as store:
            return store.database.size

    def library_id(self, store: Store) -> int:
        # Here, because threads of a harness that has this module share no configuration of beets.
        from beetsplug.resonance.library.identity import find_library

        return find_library(store, self.library) or 0

    def tracks(self) -> dict[int, TrackRow]:
        with self.store() as store:
            return store.tracks.all(self.library_id(store))

    def reasons(self) -> dict[str, str]:
        """Why files failed, by name."""
        with self.store() as store:
            failures = store.failures.all(self.library_id(store))
        return {Path(os.fsdecode(path)).name: failure.reason for path, failure in failures.items()}

    def recordings(self) -> int:
        """How many the model has embedded in all."""
        with self.store() as store:
            model = store.models.active()
            return store.vectors.count(model.id) if model else 0

    def assert_known(self, count: int) -> None:
        """Every one of `count` tracks is linked as it is now, so that there is nothing to do."""
        lines = self.beet("resonance", "status")
        assert lines[:4] == [
            f"tracks:         {count}",
            f"analysed:       {count}",
            "not yet:        0",
            "failed:         0",
        ]
        assert len(self.tracks()) == count

    def clone(self, path: Path) -> Home:
        """Another beets with a copy of this one's databases, and the same music."""
        path.mkdir()
        for file in (self.library, self.sidecar):
            shutil.copy(file, path / file.name)
        made = Home(path)
        made.configure(directory=str(self.music))
        return made


def new_home(path: Path, address: str = "", **settings: Any) -> Home:
    path.mkdir()
    made = Home(path, address)
    made.configure(**settings)
    return made


def song(path: Path, title: str, seed: int, artist: str = "Somebody", album: str = "Album") -> Path:
    """A few seconds of music of its own, tagged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tags = {"title": title, "artist": artist, "album": album, "track": str(seed + 1)}
    rate, channels = (22050, 2) if path.suffix == ".ogg" else (22050, 1)
    return write_audio(path, tune(4, rate, channels=channels, seed=seed), rate, metadata=tags)


def album(folder: Path, count: int, first: int = 0, name: str = "Album") -> Path:
    """A folder with songs called Song N, in several formats."""
    for number in range(first, first + count):
        suffix = MUSIC_FORMATS[number % len(MUSIC_FORMATS)]
        song(folder / f"{number} song{suffix}", f"Song {number}", number, f"Artist {number % 2}", name)
    return folder
