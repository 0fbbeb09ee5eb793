"""Requests to pause or stop the background that its database could not take: they count, and are stored later."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, ClassVar

import pytest

from beetsplug.resonance.background.job_state import JobState
from beetsplug.resonance.background.local_requests import LocalRequest, LocalRequests
from beetsplug.resonance.background.process_lock import BACKGROUND, lock_of
from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.store import Store
from tests.plugin.command_library import CommandLibrary
from tests.postgresql_server import require_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIBRARY = 1
AWAY = "postgresql+psycopg://anna:s3cret@127.0.0.1:1/music"


@pytest.fixture
def local(tmp_path: Path) -> LocalRequests:
    return LocalRequests(tmp_path / "requests.json")


@pytest.fixture
def job_state(tmp_path: Path, local: LocalRequests) -> Iterator[JobState]:
    with Store(tmp_path / "resonance.db") as store:
        yield JobState(store, LIBRARY, local)


def stored(job_state: JobState) -> JobState:
    """The same without the file."""
    return JobState(job_state.store, LIBRARY)


class TestStates:
    def test_without_a_file_nothing_is_requested(self, local: LocalRequests) -> None:
        assert local.read() == LocalRequest()

    @pytest.mark.parametrize("text", ["", "[]", '{"paused": 7}', '{"paused": true', "\x00"])
    def test_a_file_that_is_none_is_no_matter(self, local: LocalRequests, text: str) -> None:
        local.path.write_text(text)
        assert local.read() == LocalRequest()

    def test_a_pause_counts_at_once_and_until_it_is_taken_back(self, job_state: JobState, local: LocalRequests) -> None:
        job_state.request()
        local.pause()
        assert job_state.requests.paused
        assert not stored(job_state).requests.paused
        job_state.request()
        assert stored(job_state).requests.paused
        assert not local.path.exists()
        job_state.pause(False)
        assert not job_state.requests.paused

    def test_a_pause_that_was_never_stored_is_taken_back(self, job_state: JobState, local: LocalRequests) -> None:
        local.pause()
        job_state.pause(False)
        assert not job_state.requests.paused
        assert not local.path.exists()

    def test_a_stop_withdraws_what_was_requested_before_and_ends_who_works(
        self, job_state: JobState, local: LocalRequests
    ) -> None:
        leaves = job_state.request().leaves
        local.stop()
        assert not job_state.requests.open
        assert job_state.requests.leaves != leaves
        began = job_state.requests.leaves
        assert job_state.request().open
        assert job_state.requests.leaves == began, "who began after the stop does not end for it"
        assert stored(job_state).requests == job_state.requests

    def test_a_stop_leaves_what_was_requested_after_it(self, job_state: JobState, local: LocalRequests) -> None:
        local.stop()
        stored(job_state).request()
        assert job_state.requests.open

    def test_both_are_kept(self, local: LocalRequests) -> None:
        local.stop()
        local.pause()
        assert local.read().paused
        assert local.read().stopped


class TestCommands(CommandLibrary):
    """With the sidecar on a server that does not answer."""

    note: ClassVar[str] = r"noted in /\S+/resonance-requests-\S+\.json until the database answers: No PostgreSQL "

    @pytest.fixture(autouse=True)
    def _away(self, setup: None) -> None:  # noqa: ARG002 - after beets
        require_server()
        self.config["resonance"]["sidecar"] = AWAY

    def requested(self) -> LocalRequest:
        (path,) = self.lib_path.parent.rglob("resonance-requests-*.json")
        return LocalRequests(path).read()

    def test_pause(self) -> None:
        lines = self.beet("resonance", "pause")
        assert re.match(self.note, lines[0])
        assert lines[1:] == ["the background analysis is paused; `beet resonance resume` goes on"]
        assert self.requested() == LocalRequest(paused=True)

    def test_stop_without_a_process(self) -> None:
        lines = self.beet("resonance", "stop")
        assert re.match(self.note, lines[0])
        assert lines[1:] == ["no background analysis is running"]
        assert self.requested().stopped > 0

    def test_stop_waits_for_a_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with closing(Sidecar(self.lib, Settings(sidecar=AWAY))) as sidecar:
            lock = lock_of(sidecar)
        assert lock.acquire(BACKGROUND, 0)
        monkeypatch.setattr("beetsplug.resonance.commands.status.time.sleep", lambda _: lock.release())
        assert self.beet("resonance", "stop")[1:] == [
            "the background analysis is stopped; `beet resonance analyze` goes on"
        ]

    def test_what_needs_the_database_is_refused(self) -> None:
        for verb in ("resume", "status"):
            assert "No PostgreSQL server answers" in self.refused("resonance", verb)
