"""What each command understands, prints and refuses, with a model that makes vectors up."""

from __future__ import annotations

import errno
import os
import re
import shlex
import signal
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Never

import pytest
from beets.exceptions import UserError

from beetsplug.resonance.background.process_lock import lock_of
from beetsplug.resonance.commands.analyze import summary
from beetsplug.resonance.commands.common import format_error, format_size, join_words, user_errors
from beetsplug.resonance.commands.resonance import parse_verb
from beetsplug.resonance.commands.verb_parser import VerbParser, flag_of_option
from beetsplug.resonance.commands.verbs import GROUPS, NAMES, VERBS
from beetsplug.resonance.library.analysis import AnalysisResult
from beetsplug.resonance.library.sidecar import Sidecar, format_duration, format_estimate
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
        sentence = "the library has no tracks; import some with `beet import PATH`"
        assert self.refused(*words.split()) == f"{words.split()[0]}: {sentence}"
        assert not Sidecar(self.lib).exists

    @pytest.mark.parametrize("command", ["similar", "playlist"])
    def test_nothing_analysed(self, command: str) -> None:
        self.song("one")
        said = self.refused(command, "one")
        assert said == f"{command}: no track is analysed yet; run `beet resonance analyze` (about 2 s)"
        assert not Sidecar(self.lib).exists

    def test_nothing_could_be_analysed(self) -> None:
        self.song("one", name="broken.flac")
        with pytest.raises(UserError, match="nothing could be analysed; `beet resonance failures` says"):
            self.run_command("resonance", "analyze")
        self.io.getoutput()
        assert self.refused("similar", "one") == "similar: no track could be analysed; see `beet resonance status`"

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
        sentence = f"resonance: {str(self.runtime.defect).rstrip('.')}"
        assert self.refused("resonance", "analyze") == sentence
        assert self.refused("resonance", "analyze", "--pretend") == sentence

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
        assert self.refused("resonance", *words.split()) == "resonance: /music/resonance.log: No space left on device"

    def test_a_lock_file_that_cannot_be_made(self) -> None:
        self.song("one")
        with closing(Sidecar(self.lib)) as sidecar:
            lock_of(sidecar).path.mkdir()
        assert re.fullmatch(
            r"resonance: The file /.*/resonance-1\.lock cannot be opened: Is a directory",
            self.refused("resonance", "analyze"),
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
        @user_errors("similar")
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
            ("similar -n 0 x", "similar: -n must be 1 to 100,000 tracks, not 0"),
            ("playlist", "playlist: name a track to start from, for example `beet playlist title:yesterday`"),
            ("playlist -n 2 -m 2 x", "playlist: give either -n or --minutes, not both"),
            ("playlist -m 0 x", "playlist: --minutes must be above 0 and at most 10,000, not 0"),
            ("playlist -m nan x", "playlist: --minutes must be above 0 and at most 10,000, not nan"),
            ("playlist -o x.mp3 x", "playlist -o takes the name of a file that ends in .m3u8 or .m3u, not 'x.mp3'"),
            (
                "resonance",
                f"resonance: say {join_words(NAMES, 'or')}, for example `beet resonance status`",
            ),
            (
                "resonance xyz",
                f"resonance: there is no verb 'xyz'; say {join_words(NAMES, 'or')}",
            ),
            ("resonance analyse", "resonance: there is no verb 'analyse'; did you mean analyze?"),
            ("resonance status x", "resonance: status is about the whole library and takes no query, not 'x'"),
            ("resonance check x y", "resonance: check is about the whole library and takes no query, not 'x y'"),
            ("resonance check --pretend", "resonance: --pretend belongs to analyze, prune and write, not to check"),
            ("resonance analyze --and x", "resonance: --and belongs to apart, not to analyze"),
            ("resonance write --remove", "resonance: --remove belongs to apart, not to write"),
            ("resonance train --fields bpm", "resonance: --fields belongs to write, not to train"),
            ("resonance analyze --repair", "resonance: --repair belongs to check, not to analyze"),
            ("resonance analyze --threads 0", "resonance: --threads must be 1 to 64, not 0"),
            ("resonance check --yes", "resonance: --yes belongs to train, model remove, write and tag, not to check"),
            (
                "resonance model list -y",
                "resonance: --yes belongs to train, model remove, write and tag, not to model list",
            ),
            ("resonance status --minutes 3", "resonance: --minutes belongs to train, not to status"),
            ("resonance model use own --name x", "resonance: --name belongs to train and model add, not to model use"),
            ("resonance train --minutes 0", "resonance: --minutes must be 1 to 1,440 (a day), not 0"),
            ("resonance train --minutes nan", "resonance: --minutes must be 1 to 1,440 (a day), not nan"),
            ("resonance train --minutes 1441", "resonance: --minutes must be 1 to 1,440 (a day), not 1441"),
            (
                "resonance model",
                "resonance: model takes list, add, use or remove, for example `beet resonance model list`",
            ),
            (
                "resonance sidecar",
                "resonance: sidecar takes copy or index, for example `beet resonance sidecar copy copy.db`",
            ),
            ("resonance model rm x", "resonance: there is no verb of model 'rm'; model takes list, add, use or remove"),
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
    def test_a_mistyped_option_is_one_sentence_that_names_the_help(self, words: str) -> None:
        command = " ".join(words.split()[: 2 if words.startswith("resonance") else 1])
        sentence = self.refused(*words.split())
        assert re.match(rf"{command.split()[0]}: (there is no option|option .*: invalid)", sentence)
        assert sentence.endswith(f" `beet {command} --help` lists the options")
        assert "\n" not in sentence

    @pytest.mark.parametrize("command", ["similar", "playlist", "resonance"])
    def test_help_has_an_example(self, command: str) -> None:
        assert f"\nExample: beet {command} " in self.help_of(command, "--help")

    def help_of(self, *words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            self.run_command(*words)
        assert ended.value.code == 0
        return self.io.getoutput()

    @pytest.mark.parametrize("verb", VERBS)
    def test_help_of_a_verb_is_about_that_alone(self, verb: str) -> None:
        for words in ([*verb.split(), "--help"], ["-h", *verb.split()], [*verb.split(), "x", "--help"]):
            lines = self.help_of("resonance", *words).splitlines()
            assert lines[0].startswith(f"Usage: beet resonance {verb}")
            example = next(line for line in lines if line.startswith("Example: "))
            assert example.startswith(f"Example: beet resonance {verb}")
            options = re.findall(r"^  (?:-\w(?: [A-Z]+)?, )?--([a-z-]+)", "\n".join(lines), re.MULTILINE)
            flags = [flag_of_option(name).removeprefix("--") for name in VERBS[verb].options]
            assert sorted(options) == sorted([*flags, "help"])
            others = {name.split()[0] for name in VERBS} - {verb.split()[0], "write", "apart", "model"}
            assert not [name for name in others if f"beet resonance {name}" in "\n".join(lines)]

    @pytest.mark.parametrize("verb", VERBS)
    def test_the_example_of_a_verb_is_understood(self, verb: str) -> None:
        words = shlex.split(f"{verb} {VERBS[verb].example}")
        options, arguments = VerbParser().parse_args(words)
        assert parse_verb(options, arguments)[0] == verb

    def test_help_lists_the_verbs(self) -> None:
        for words, expected in (
            (["resonance", "--help"], list(VERBS)),
            *(
                (["resonance", group, "--help"], [verb for verb in VERBS if verb.startswith(f"{group} ")])
                for group in GROUPS
            ),
        ):
            lines = self.help_of(*words).splitlines()
            assert re.findall(r"^  (\S+(?: \S+)?)  ", "\n".join(lines), re.MULTILINE) == expected
            assert f"`beet {' '.join(words[:-1])} VERB --help` shows" in "\n".join(lines)
            [example] = [line for line in lines if line.startswith("Example: ")]
            options, arguments = VerbParser().parse_args(shlex.split(example.removeprefix("Example: beet resonance ")))
            parse_verb(options, arguments)
        assert self.beet("help", "resonance")[0] == "Usage: beet resonance VERB [options]"
        assert self.refused("resonance", "statsu", "--help").endswith("did you mean status?")

    @pytest.mark.parametrize(
        ("sentence", "expected"),
        [
            ("The store is damaged.", "similar: The store is damaged"),
            ("similar: no track matches x", "similar: no track matches x"),
            ("similar --from: no track matches x", "similar --from: no track matches x"),
            ("similarity is unknown.", "similar: similarity is unknown"),
            ("write 1..", "similar: write 1.."),
            ("Is it there? Nothing was lost.", "similar: Is it there? Nothing was lost."),
        ],
    )
    def test_errors_have_one_form(self, sentence: str, expected: str) -> None:
        assert format_error("similar", sentence) == expected

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


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "1 s"),
        (2.4, "2 s"),
        (4.1, "5 s"),
        (23, "20 s"),
        (52, "45 s"),
        (57, "1 min"),
        (79, "1 min"),
        (100, "2 min"),
        (2900, "45 min"),
        (3400, "1 h"),
        (90000, "25 h"),
    ],
)
def test_an_estimate_is_round(seconds: float, said: str) -> None:
    assert format_estimate(seconds) == said


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
