"""Who starts the background, and what the commands in the foreground have to do with it."""

from __future__ import annotations

import json
import os
from contextlib import closing

import pytest
from beets.exceptions import UserError

from beetsplug.resonance.background.job_state import BackgroundTask, job_state_of
from beetsplug.resonance.background.process_lock import BACKGROUND, FOREGROUND, exclusive_analysis
from beetsplug.resonance.library.runtime import Runtime
from beetsplug.resonance.library.sidecar import Sidecar
from tests.audio_files import tune, write_audio
from tests.plugin.background_fixtures import LOG, BackgroundFixtures
from tests.plugin.command_library import AnalysedLibrary, CommandLibrary
from tests.plugin.test_importer import Imports


class TestAfterAnImport(BackgroundFixtures, Imports):
    def setup_beets(self) -> None:
        super().setup_beets()
        self.config["resonance"]["auto"] = "background"

    def test_the_import_embeds_nothing_and_the_background_all(self) -> None:
        self.songs("one", "two", "broken")
        self.run_import()
        assert not self.runtime.starts
        assert len(self.runtime.spawned) == 1
        before = self.lib.path.read_bytes()
        self.work()
        assert len(self.runtime.embedded) == 2
        assert list(self.failures().values()) == ["it is broken"]
        assert self.tracks().keys() == {item.id for item in self.lib.items() if item.title != "broken"}
        assert self.lib.path.read_bytes() == before, "the library was written to"

    def test_a_run_that_imports_nothing_starts_nothing(self) -> None:
        self.songs("one")
        self.run_import(pretend=True)
        self.run_command("ls")
        self.end()
        assert self.runtime.spawned == []
        assert not Sidecar(self.lib).exists

    def test_the_settings_go_along(self) -> None:
        self.config["resonance"].set({"hours": "22:00-07:00", "pace": 30, "exclude": "title:x"})
        self.songs("one")
        self.run_import()
        settings = BackgroundTask.from_json(self.runtime.spawned[-1][-1]).settings
        assert (settings.auto, settings.hours, settings.pace) == ("background", "22:00-07:00", 30)
        assert "exclude" not in json.loads(self.runtime.spawned[-1][-1])["settings"]

    def test_while_it_is_paused_an_import_starts_nothing_and_resume_does(self) -> None:
        self.run_command("resonance", "pause")
        self.songs("one")
        self.run_import()
        assert self.runtime.spawned == []
        self.run_command("resonance", "resume")
        assert len(self.runtime.spawned) == 1
        self.work()
        self.assert_linked()

    def test_what_cannot_be_started_does_not_harm_the_import(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(command: list[str], **_: object) -> None:
            raise OSError(11, "Resource temporarily unavailable", command[0])

        monkeypatch.setattr("subprocess.Popen", fail)
        self.runtime.spawn = Runtime().spawn  # type: ignore[method-assign]
        self.songs("one")
        self.run_import()
        assert len(self.lib.items()) == 1
        assert "The background analysis does not start: Resource temporarily unavailable; tracks are" in caplog.text


class TestForeground(BackgroundFixtures, AnalysedLibrary):
    def test_two_at_once(self) -> None:
        self.song("new")
        with self.locked(FOREGROUND):
            said = self.refused("resonance", "analyze")
            assert said == f"resonance: another analysis is running (pid {os.getpid()}); wait until it is done"
            assert any("is analysing (pid" in line for line in self.beet("resonance", "status"))
        assert len(self.runtime.embedded) == 5

    def test_damage_is_not_mended_meanwhile(self) -> None:
        sidecar = Sidecar(self.lib)
        with self.locked(BACKGROUND):
            sidecar.path.write_bytes(b"this is no database" * 1000)
            with pytest.raises(
                UserError, match=r"an analysis is running \(pid \d+\); wait until it is done, or end it"
            ):
                self.run_command("resonance", "check", "--repair")
            assert sidecar.path.read_bytes().startswith(b"this is no database")

    def test_a_request_meanwhile_is_handed_over_afterwards(self) -> None:
        with closing(Sidecar(self.lib, runtime=self.runtime)) as sidecar:
            with exclusive_analysis(sidecar, True, LOG):
                job_state_of(sidecar).request()
            assert len(self.runtime.spawned) == 1
            with exclusive_analysis(sidecar, True, LOG):
                pass
            assert len(self.runtime.spawned) == 1

    def test_a_request_that_some_tracks_do_not_answer_is_handed_over(self) -> None:
        with self.job_state() as job_state:
            job_state.request()
        assert self.beet("resonance", "analyze", "title:song 1") == ["nothing to do: the track is analysed"]
        assert len(self.runtime.spawned) == 1
        assert self.requests().open

    def test_a_request_meanwhile_waits_while_it_is_paused(self) -> None:
        with closing(Sidecar(self.lib, runtime=self.runtime)) as sidecar:
            job_state_of(sidecar).pause(True)
            with exclusive_analysis(sidecar, True, LOG):
                job_state_of(sidecar).request()
        assert self.runtime.spawned == []

    def test_resume_lifts_a_pause_with_nothing_pending(self) -> None:
        self.beet("resonance", "pause")
        assert self.beet("resonance", "resume") == [
            "the background analysis is no longer paused, and has nothing to do: every track is analysed or failed"
        ]
        assert not self.requests().paused

    def test_no_running_analysis_is_reported_before_one_starts(self, caplog: pytest.LogCaptureFixture) -> None:
        self.song("new")
        self.beet("resonance", "analyze", "--background")
        status = self.beet("resonance", "status")
        assert "background:     starting" in status
        assert not any("beet resonance analyze" in line for line in status)
        caplog.clear()
        self.beet("similar", "title:song 1")
        assert "5 of 6 tracks analysed; the rest is being analysed now (about 2 s)" in caplog.text

    def test_resume_starts_what_status_counts(self) -> None:
        """Files that changed are linked still."""
        for item in self.lib.items(["title:song 1", ",", "title:song 2"]):
            write_audio(item.filepath, tune(2, 8000, channels=1, seed=item.id + 50), 8000, kind="flac")
        assert "not yet:        2" in self.beet("resonance", "status")
        assert self.beet("resonance", "resume") == [
            "analysing in the background; `beet resonance status` says how far it is"
        ]
        self.work()
        assert "not yet:        0" in self.beet("resonance", "status")
        assert len(self.runtime.embedded) == 7

    def test_what_is_without_a_file_is_nothing_to_resume(self) -> None:
        self.song("lost").filepath.unlink()
        self.beet("resonance", "analyze")
        assert self.beet("resonance", "resume") == [
            "the background analysis was not paused, and has nothing to do: every track is analysed, failed or without "
            "a file"
        ]
        assert self.runtime.spawned == []

    def test_the_background_is_not_started_for_nothing(self) -> None:
        assert self.beet("resonance", "analyze", "--background") == ["nothing to do: all 5 tracks are analysed"]
        self.song("lost").filepath.unlink()
        self.beet("resonance", "analyze")
        assert self.beet("resonance", "analyze", "--background") == ["nothing new to analyse, 1 without a file"]
        assert self.runtime.spawned == []
        assert not self.requests().open

    def test_a_request_during_an_analysis_is_reported_when_it_counts(self) -> None:
        self.song("new")
        with self.locked(FOREGROUND):
            assert self.beet("resonance", "analyze", "--background") == [
                f"`beet resonance` itself is analysing (pid {os.getpid()}); the background does what is left after it"
            ]
            assert self.requests().open

    def test_a_request_while_it_is_paused_is_kept(self) -> None:
        self.song("new")
        self.beet("resonance", "pause")
        assert self.beet("resonance", "analyze", "--background") == [
            "the background analysis is paused; `beet resonance resume` starts it"
        ]
        assert self.runtime.spawned == []
        assert self.requests().open

    def test_nothing_to_resume_or_stop(self) -> None:
        assert self.beet("resonance", "resume") == [
            "the background analysis was not paused, and has nothing to do: every track is analysed or failed"
        ]
        assert self.beet("resonance", "stop") == ["no background analysis is running"]
        assert self.runtime.spawned == []


class TestArguments(CommandLibrary):
    def test_an_empty_library_needs_no_background(self) -> None:
        said = self.refused("resonance", "analyze", "--background")
        assert said == self.refused("resonance", "analyze")
        assert self.runtime.spawned == []

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("analyze --background --pretend", "without --pretend"),
            ("analyze --background --threads 2", "without --threads"),
            ("analyze --background title:x", "without a query"),
            ("status --background", "--background belongs to analyze, not to status"),
            ("pause now", "pause is about the whole library and takes no query, not 'now'"),
            ("status --retry", "--retry belongs to failures, not to status"),
        ],
    )
    def test_a_sentence_says_what_is_wrong(self, words: str, said: str) -> None:
        assert said in self.refused("resonance", *words.split())
