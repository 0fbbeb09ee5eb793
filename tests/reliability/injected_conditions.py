"""The conditions that a home can be in, and how each ends."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.reliability import disks
from tests.reliability.scenarios import OWN, configure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.e2e.home import Home

QUERIES = ("similar", "playlist", "status")
SMALL = 8  # megabytes: a sidecar of a few tracks, and a little
PAGE = 16_384


@dataclass(frozen=True)
class Condition:
    """`spoil` holds for the time of a `with`. `works` are the commands that have to succeed in it all the same.

    Where beets itself can't write its library, an import is not expected to import.
    """

    name: str
    spoil: Callable[[Home], AbstractContextManager[None]]
    works: tuple[str, ...] = QUERIES
    imports: bool = True
    mounts: bool = False


@contextmanager
def full_sidecar(home: Home) -> Iterator[None]:
    """The disk of the sidecar alone is full: beets has its library on another."""
    disk = home.path / "disk"
    disks.small(disk, SMALL)
    shutil.move(home.sidecar, disk / home.sidecar.name)
    home.sidecar.symlink_to(disk / home.sidecar.name)
    disks.fill(disk)
    assert disks.is_full(disk)
    yield
    (disk / disks.FILLER).unlink()


@contextmanager
def full_home(home: Home) -> Iterator[None]:
    """Library, sidecar and index share a full disk."""
    saved = home.path.with_name(f"{home.path.name}-saved")
    home.path.rename(saved)
    disks.small(home.path, 3 * SMALL)
    shutil.copytree(saved, home.path, dirs_exist_ok=True, symlinks=True)
    disks.fill(home.path)
    assert disks.is_full(home.path)
    yield
    (home.path / disks.FILLER).unlink()


@contextmanager
def read_only(home: Home) -> Iterator[None]:
    disks.protect(home.path)
    yield
    disks.unmount(home.path)


@contextmanager
def locked(home: Home) -> Iterator[None]:
    """Another process writes and does not come to an end."""
    with closing(sqlite3.connect(home.sidecar, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def damaged(damage: Callable[[bytes], bytes]) -> Callable[[Home], AbstractContextManager[None]]:
    """A sidecar with other content; it is restored from a copy in the end."""

    @contextmanager
    def spoil(home: Home) -> Iterator[None]:
        whole = home.sidecar.read_bytes()
        home.sidecar.write_bytes(damage(whole))
        yield
        for suffix in ("-wal", "-shm"):
            home.sidecar.with_name(home.sidecar.name + suffix).unlink(missing_ok=True)
        home.sidecar.write_bytes(whole)

    return spoil


def noise(count: int) -> bytes:
    return np.random.default_rng(0).bytes(count)


def page_in_the_middle(whole: bytes) -> bytes:
    start = len(whole) // PAGE // 2 * PAGE
    return whole[:start] + noise(PAGE) + whole[start + PAGE :]


def every_page_but_the_first(whole: bytes) -> bytes:
    return whole[:PAGE] + noise(len(whole) - PAGE)


def damaged_index(damage: Callable[[bytes], bytes]) -> Callable[[Home], AbstractContextManager[None]]:
    @contextmanager
    def spoil(home: Home) -> Iterator[None]:
        for file in home.path.glob("*.index"):
            file.write_bytes(damage(file.read_bytes()))
        yield

    return spoil


@contextmanager
def half_a_model(home: Home) -> Iterator[None]:
    """The model that shall be used next is cut in half; the one in use is whole."""
    model = home.path / "resonance-models" / OWN / "model.onnx"
    whole = model.read_bytes()
    model.unlink()
    model.write_bytes(whole[: len(whole) // 2])
    yield
    model.write_bytes(whole)


@contextmanager
def half_the_configured_model(home: Home) -> Iterator[None]:
    """The model that the configuration names is cut in half; what another one heard is still there."""
    model = home.path / "half.onnx"
    own = home.path / "resonance-models" / OWN / "model.onnx"
    model.write_bytes(own.read_bytes()[:1_000_000])
    before = (home.path / "config.yaml").read_text("utf-8")
    music = Path(before.split('directory: "')[1].split('"')[0])
    configure(home, music, model=str(model))
    yield
    (home.path / "config.yaml").write_text(before, "utf-8")


@contextmanager
def music_away(home: Home) -> Iterator[None]:
    before = (home.path / "config.yaml").read_text("utf-8")
    configure(home, home.path / "unmounted")
    yield
    (home.path / "config.yaml").write_text(before, "utf-8")


@contextmanager
def full_tmp(_: Home) -> Iterator[None]:
    disks.small(Path("/tmp"), 1)  # noqa: S108 - this very folder
    disks.fill(Path("/tmp"))  # noqa: S108
    yield
    disks.unmount(Path("/tmp"))  # noqa: S108


WRITERS = ("import", "analyze", "model use")
CONDITIONS = (
    Condition("full disk of the sidecar", full_sidecar, mounts=True),
    Condition("full disk of everything", full_home, ("similar", "status"), imports=False, mounts=True),
    Condition("read-only folder", read_only, ("similar", "status"), imports=False, mounts=True),
    Condition("locked sidecar", locked),
    Condition("sidecar's header overwritten", damaged(lambda whole: noise(100) + whole[100:]), ()),
    Condition("a page of the sidecar overwritten", damaged(page_in_the_middle), ()),
    Condition("all but its first page overwritten", damaged(every_page_but_the_first), ()),
    Condition("sidecar truncated", damaged(lambda whole: whole[: len(whole) // 2 + 100]), ()),
    Condition("sidecar empty", damaged(lambda _: b""), ()),
    Condition("sidecar a text", damaged(lambda _: b"no database\n" * 3000), ()),
    Condition("index truncated", damaged_index(lambda whole: whole[: len(whole) // 2]), (*QUERIES, *WRITERS)),
    Condition("index overwritten", damaged_index(lambda whole: whole[:200] + noise(len(whole))), (*QUERIES, *WRITERS)),
    Condition("index empty", damaged_index(lambda _: b""), (*QUERIES, *WRITERS)),
    Condition("wanted model cut in half", half_a_model, (*QUERIES, "import", "analyze")),
    Condition("configured model cut in half", half_the_configured_model),
    Condition("music away", music_away),
    Condition("full temporary folder", full_tmp, (*QUERIES, *WRITERS), mounts=True),
)


def is_beets_own(error: str) -> bool:
    """Whether a traceback is one of beets that nothing of ours had a part in."""
    return os.path.join("beetsplug", "resonance") not in error  # noqa: PTH118 - a part of a text
