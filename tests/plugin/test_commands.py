"""What each command understands, prints and refuses, with a model that makes vectors up."""

from __future__ import annotations

import errno
import os
import re
import signal
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Never

import pytest
from beets.exceptions import UserError

from beetsplug.resonance.background.process_lock import lock_of
from beetsplug.resonance.commands.analyze import summary
from beetsplug.resonance.commands.common import format_size, user_errors
from beetsplug.resonance.library.analysis import AnalysisResult
from beetsplug.resonance.library.sidecar import Sidecar, format_duration
from beetsplug.resonance.library.sync import Plan
from resonance_engine.errors import ModelError
from resonance_engine.ingest import Job
from resonance_engine.store import Failure
from tests.plugin.command_library import CommandLibrary

if TYPE_CHECKING:
    from beets.library import Library


class TestNothingThere(CommandLibrary):
    @pytest.mark.parametrize("words", ["similar x", "playlist x", "resonance analyze", "resonance analyze --pretend"])
    def test_an_empty_library(self, words: str) -> None:
        assert self.refused(*words.split()) == "the library has no tracks; import some with `beet import PATH`"
        assert not Sidecar(self.lib).exists

    @pytest.mark.parametrize("command", ["similar", "playlist"])
    def test_nothing_analysed(self, command: str) -> None:
        self.song("one")
        said = self.refused(command, "one")
        assert said == "no track is analysed yet; run `beet resonance analyze` (about 1 s)"
        assert not Sidecar(self.lib).exists

    def test_nothing_could_be_analysed(self) -> None:
        self.song("one", name="broken.flac")
        with pytest.raises(UserError, match="nothing could be analysed; `beet resonance failures` says"):
            self.run_command("resonance", "analyze")
        self.io.getoutput()
        assert self.refused("similar", "one") == "no track could be analysed; see `beet resonance status`"

    def test_status_before_anything(self) -> None:
        self.song("one")
        lines = self.beet("resonance", "status")
        assert lines[:2] == ["tracks:         1", "analysed:       0"]
        assert lines[2].endswith("resonance.db (not made yet)")
        assert lines[3].startswith("no track is analysed yet; run `beet resonance analyze`")
        assert not Sidecar(self.lib).exists

    def test_check_before_anything(self) -> None:
        assert self.beet("resonance", "check") == ["nothing is analysed yet, so there is nothing to check"]
        assert not Sidecar(self.lib).exists

    def test_no_model(self) -> None:
        self.song("one")
        self.runtime.defect = ModelError("There is no model at /models/mine; give the path of a model file.")
        assert self.refused("resonance", "analyze") == str(self.runtime.defect)
        assert self.refused("resonance", "analyze", "--pretend") == str(self.runtime.defect)

    def test_a_library_in_memory(self) -> None:
        self.song("one")
        self.lib.path = Path(":memory:")
        assert "this library has no file" in self.refused("resonance", "analyze")


class TestUnwritable(CommandLibrary):
    """What cannot be written ends a command in a sentence with the path."""

    @pytest.mark.parametrize("words", ["analyze", "analyze --background"])
    def test_a_full_disk(self, words: str) -> None:
        self.song("one")

        def fail(*_: object) -> Never:
            raise OSError(errno.ENOSPC, "No space left on device", "/music/resonance.log")

        self.runtime.open_pool = self.runtime.spawn = fail  # type: ignore[method-assign]
        assert self.refused("resonance", *words.split()) == "/music/resonance.log: No space left on device"

    def test_a_lock_file_that_cannot_be_made(self) -> None:
        self.song("one")
        with closing(Sidecar(self.lib)) as sidecar:
            lock_of(sidecar).path.mkdir()
        assert re.fullmatch(
            r"The file /.*/resonance-1\.lock cannot be opened: Is a directory\.", self.refused("resonance", "analyze")
        )

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_that_may_only_be_read(self) -> None:
        self.song("one")
        folder = Sidecar(self.lib).path.parent
        folder.chmod(0o500)
        try:
            assert str(folder) in self.refused("resonance", "analyze")
        finally:
            folder.chmod(0o700)

    def test_a_reader_that_ends_ends_the_command(self) -> None:
        @user_errors
        def command(lib: Library, opts: object, args: list[str]) -> None:
            del lib, opts, args
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

        with pytest.raises(SystemExit) as caught:
            command(self.lib, None, [])
        assert caught.value.code == 128 + signal.SIGPIPE


class TestArguments(CommandLibrary):
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("similar", "similar: name a track to start from, for example `beet similar title:yesterday`"),
            ("similar -n 0 x", "-n must be 1 to 100,000 tracks, not 0."),
            ("playlist", "playlist: name a track to start from, for example `beet playlist title:yesterday`"),
            ("playlist -n 2 -m 2 x", "playlist: give either -n or --minutes, not both"),
            ("playlist -m 0 x", "--minutes must be above 0 and at most 10,000, not 0."),
            ("playlist -m nan x", "--minutes must be above 0 and at most 10,000, not nan."),
            ("playlist -o x.mp3 x", "playlist: -o names a file that ends in .m3u8 or .m3u, not 'x.mp3'"),
            (
                "resonance",
                "resonance: say analyze, pause, resume, stop, status, failures, check, prune, train, model, apart or "
                "write, for example `beet resonance status`",
            ),
            (
                "resonance analyse",
                "resonance: say analyze, pause, resume, stop, status, failures, check, prune, train, model, apart or "
                "write, not 'analyse'",
            ),
            ("resonance status x", "resonance: status is about the whole library and takes no query, not 'x'"),
            ("resonance check x y", "resonance: check is about the whole library and takes no query, not 'x y'"),
            ("resonance check --pretend", "resonance: --pretend belongs to analyze, prune and write, not to check"),
            ("resonance analyze --and x", "resonance: --and belongs to apart, not to analyze"),
            ("resonance write --remove", "resonance: --remove belongs to apart, not to write"),
            ("resonance train --fields bpm", "resonance: --fields belongs to write, not to train"),
            ("resonance analyze --repair", "resonance: --repair belongs to check, not to analyze"),
            ("resonance analyze --threads 0", "resonance: --threads must be 1 to 64, not 0"),
            ("resonance check --yes", "resonance: --yes belongs to train, model remove and write, not to check"),
            ("resonance model list -y", "resonance: --yes belongs to train, model remove and write, not to model list"),
            ("resonance status --minutes 3", "resonance: --minutes belongs to train, not to status"),
            ("resonance model use own --name x", "resonance: --name belongs to train and model add, not to model use"),
            ("resonance train --minutes 0", "resonance: --minutes must be 1 to 1,440 (a day), not 0"),
            ("resonance train --minutes nan", "resonance: --minutes must be 1 to 1,440 (a day), not nan"),
            ("resonance train --minutes 1441", "resonance: --minutes must be 1 to 1,440 (a day), not 1441"),
            (
                "resonance model",
                "resonance: model takes list, add, use or remove, for example `beet resonance model list`",
            ),
            ("resonance model rm x", "resonance: model takes list, add, use or remove, not 'rm'"),
            (
                "resonance model add",
                "resonance: model add takes one file, for example `beet resonance model add network.onnx`",
            ),
            ("resonance model add a.onnx b.onnx", "resonance: model add takes one file, not 2"),
            ("resonance model list x", "resonance: model list shows all models and takes no name, not 'x'"),
            (
                "resonance model use",
                "resonance: model use takes one name, for example `beet resonance model use own`; "
                "`beet resonance model list` shows them",
            ),
            (
                "resonance model remove a b",
                "resonance: model remove takes one name, not 2; `beet resonance model list` shows them",
            ),
        ],
    )
    def test_a_sentence_says_what_is_wrong(self, words: str, said: str) -> None:
        assert self.refused(*words.split()) == said

    @pytest.mark.parametrize(
        "words", ["similar --cuont 3 x", "similar -n many x", "playlist -m long x", "resonance analyze --threads x"]
    )
    def test_a_mistyped_option_ends_with_the_usage(self, words: str, capteesys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            self.run_command(*words.split())
        assert ended.value.code == 2
        said = capteesys.readouterr().err
        assert "Example: beet " in said
        assert re.search(r"error: (no such option|option .*: invalid)", said)

    @pytest.mark.parametrize("command", ["similar", "playlist", "resonance"])
    def test_help_has_an_example(self, command: str) -> None:
        with pytest.raises(SystemExit) as ended:
            self.run_command(command, "--help")
        assert ended.value.code == 0
        assert f"\nExample: beet {command} " in self.io.getoutput()

    def test_a_mistake_in_the_configuration_stops_our_commands_alone(self) -> None:
        self.song("one")
        self.config["resonance"].set({"cuont": 3})
        assert self.beet("ls") == ["Somebody - Album - one"]
        assert self.refused("similar", "one").endswith("is no setting; did you mean count?")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "1 s"),
        (1.6, "2 s"),
        (89, "89 s"),
        (90, "2 min"),
        (3600, "60 min"),
        (5400, "1 h 30 min"),
        (90000, "25 h 00 min"),
    ],
)
def test_duration(seconds: float, said: str) -> None:
    assert format_duration(seconds) == said


@pytest.mark.parametrize(("count", "said"), [(0, "0.0 MB"), (1_250_000, "1.2 MB"), (3_456_000_000, "3.46 GB")])
def test_size(count: int, said: str) -> None:
    assert format_size(count) == said


@pytest.mark.parametrize(
    ("total", "failed", "missing", "counts", "said"),
    [
        (1, 0, 0, (0, 0, 0), "nothing to do: the track is analysed"),
        (1200, 0, 0, (0, 0, 0), "nothing to do: all 1,200 tracks are analysed"),
        (3, 0, 0, (1, 0, 0), "1 track analysed in 2 s"),
        (9, 0, 0, (3, 2, 1), "3 tracks analysed in 2 s, 2 recognised as known, 1 failed"),
        (9, 2, 1, (0, 0, 0), "nothing new to analyse, 2 left out that failed before, 1 without a file"),
    ],
)
def test_summary(total: int, failed: int, missing: int, counts: tuple[int, int, int], said: str) -> None:
    jobs = [Job(number, 0.0, Path()) for number in range(sum(counts))]
    failures = [Failure(b"", 0, 0, "", 1, 0.0)] * failed
    plan = Plan(total, jobs, [], failures, missing, [])
    result = AnalysisResult(plan, counts[0], counts[1], set(jobs[: counts[2]]), 2.0)
    assert summary(result) == said
