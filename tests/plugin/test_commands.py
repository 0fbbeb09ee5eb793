"""What each command understands, prints and refuses, with a model that makes vectors up."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest
from beets.exceptions import UserError
from beets.test.helper import IOMixin, PluginTestHelper

from beetsplug.resonance.commands.analyze import Tally, summary
from beetsplug.resonance.commands.common import duration, wanted_count
from beetsplug.resonance.commands.health import size
from beetsplug.resonance.settings import Settings
from beetsplug.resonance.sidecar import Sidecar
from beetsplug.resonance.sync import Plan
from resonance_engine.errors import ModelError
from resonance_engine.ingest import Job
from resonance_engine.store import Failure
from tests.audio_files import tune, write_audio
from tests.plugin.fake_pool import FakePool, embedding

if TYPE_CHECKING:
    from pathlib import Path

    from beets.library import Item


class Commands(IOMixin, PluginTestHelper):
    """A library of files; nothing is analysed yet."""

    plugin: ClassVar[str] = "resonance"
    db_on_disk: ClassVar[bool] = True

    def song(self, title: str, artist: str = "Somebody", seconds: float = 1.0, name: str | None = None) -> Item:
        """An item, each of another sound."""
        number = len(self.lib.items()) + 1
        path = self.lib_path / (name or f"{title}.flac")
        write_audio(path, tune(seconds, 8000, channels=1, seed=number), 8000, kind="flac")
        return self.add_item(title=title, artist=artist, album="Album", path=str(path), length=seconds)

    def beet(self, *args: str) -> list[str]:
        """The lines that a command prints on standard output."""
        return self.run_with_output(*args).splitlines()

    def refused(self, *args: str) -> str:
        """The sentence with which a command ends, having printed nothing."""
        with pytest.raises(UserError) as caught:
            self.run_command(*args)
        assert self.io.getoutput() == ""
        return str(caught.value)


class TestNothingThere(Commands):
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
        with pytest.raises(UserError, match="nothing could be analysed; see the lines above"):
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
        FakePool.defect = ModelError("There is no model at /models/mine; give the path of a model file.")
        assert self.refused("resonance", "analyze") == str(FakePool.defect)
        assert self.refused("resonance", "analyze", "--pretend") == str(FakePool.defect)

    def test_a_library_in_memory(self) -> None:
        self.song("one")
        self.lib.path = ":memory:"
        assert "this library has no file" in self.refused("resonance", "analyze")


class TestArguments(Commands):
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("similar", "similar: name a track to start from, for example `beet similar title:yesterday`"),
            ("similar -n 0 x", "similar: the number of tracks must be 1 to 100,000, not 0"),
            ("playlist", "playlist: name a track to start from, for example `beet playlist title:yesterday`"),
            ("playlist -n 2 -m 2 x", "playlist: give either -n or --minutes, not both"),
            ("playlist -m 0 x", "playlist: --minutes must be above 0 and at most 10,000, not 0"),
            ("playlist -m nan x", "playlist: --minutes must be above 0 and at most 10,000, not nan"),
            ("playlist -o x.mp3 x", "playlist: -o names a file that ends in .m3u8 or .m3u, not 'x.mp3'"),
            ("resonance", "resonance: say analyze, status or check, for example `beet resonance status`"),
            ("resonance analyse", "resonance: say analyze, status or check, not 'analyse'"),
            ("resonance status x", "resonance: status is about the whole library and takes no query, not 'x'"),
            ("resonance check x y", "resonance: check is about the whole library and takes no query, not 'x y'"),
            ("resonance check --pretend", "resonance: --pretend belongs to analyze, not to check"),
            ("resonance analyze --repair", "resonance: --repair belongs to check, not to analyze"),
            ("resonance analyze --threads 0", "resonance: --threads must be 1 to 64, not 0"),
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


class TestLists(Commands):
    """Five tracks by two artists, all analysed."""

    def setup_beets(self) -> None:
        super().setup_beets()
        for number in range(5):
            self.song(f"song {number}", artist=f"artist {number % 2}", seconds=1 + number)

    @pytest.fixture(autouse=True)
    def _analysed(self, setup: None, io: object) -> None:  # noqa: ARG002 - after beets and its output are set up
        assert re.fullmatch(r"5 tracks analysed in \d+ s", self.beet("resonance", "analyze")[0])

    def cosines(self, seed: int) -> dict[str, float]:
        """How close every other track is to one, by title, computed apart from the index and the search."""
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            keys = {item_id: track.content_key for item_id, track in store.tracks(sidecar.id).items()}
        vectors = {item_id: embedding(key).embedding for item_id, key in keys.items()}
        return {item.title: float(vectors[seed] @ vectors[item.id]) for item in self.lib.items() if item.id != seed}

    def test_similar_is_in_order_of_the_cosine(self) -> None:
        expected = self.cosines(seed=1)
        lines = self.beet("similar", "title:song 0")
        titles = [line.rpartition(" - ")[2] for line in lines]
        assert titles == sorted(expected, key=lambda title: -expected[title])
        for line, title in zip(lines, titles, strict=True):
            assert re.fullmatch(rf" ?-?\d\.\d{{3}}  artist \d - Album - {title}", line)
            assert float(line.split()[0]) == pytest.approx(expected[title], abs=2e-3)

    def test_similar_prints_the_score_in_a_format_and_stores_it_nowhere(self) -> None:
        lines = self.beet("similar", "-f", "$title $similarity", "title:song 0")
        expected = self.cosines(seed=1)
        for line in lines:
            title, _, score = line.rpartition(" ")
            assert re.fullmatch(r"-?\d\.\d{4}", score)
            assert float(score) == pytest.approx(expected[title], abs=2e-3)
        assert self.beet("ls", "-f", "$similarity", "title:song 1") == ["$similarity"]

    @pytest.mark.parametrize("command", ["similar", "playlist"])
    def test_paths_stand_alone(self, command: str) -> None:
        lines = self.beet(command, "-p", "-n", "3", "title:song 0")
        assert len(lines) == 3
        assert set(lines) <= {str(item.filepath) for item in self.lib.items()}

    def test_the_number_of_tracks(self) -> None:
        assert len(self.beet("similar", "-n", "3", "title:song 0")) == 3
        assert len(self.beet("playlist", "-n", "3", "title:song 0")) == 3

    def test_no_match(self) -> None:
        said = self.refused("similar", "title:nothing like it")
        assert said == "similar: no track matches 'title:nothing like it'; try `beet ls 'title:nothing like it'`"

    def test_all_match(self) -> None:
        assert self.refused("similar", "song") == (
            "similar: there is no other track to list; name fewer, or import more"
        )

    def test_the_match_is_not_analysed(self) -> None:
        self.song("new")
        assert self.refused("similar", "title:new") == (
            "similar: the track that matches is not analysed yet; run `beet resonance analyze title:new`"
        )

    def test_the_match_could_not_be_analysed(self) -> None:
        self.song("new", name="broken.flac")
        self.beet("resonance", "analyze", "song")
        with pytest.raises(UserError):
            self.run_command("resonance", "analyze")
        self.io.getoutput()
        assert self.refused("similar", "title:new") == (
            "similar: the track that matches could not be analysed: it is broken"
        )

    def test_an_id_that_beets_gave_again_is_neither_seed_nor_hit(self) -> None:
        self.run_command("-P", "resonance", "remove", "-f", "title:song 4")
        other = self.song("other")
        other.id = 5  # beets' own choice, too, which the assertion below checks
        assert [item.id for item in self.lib.items("title:other")] == [5]
        assert "is not analysed yet" in self.refused("similar", "title:other")
        assert "other" not in " ".join(self.beet("similar", "title:song 0"))

    def test_a_date_that_changed_does_not_hide_a_track(self) -> None:
        item = self.lib.items("title:song 3")[0]
        item.added -= 1e6
        item.store()
        assert len(self.beet("similar", "title:song 0")) == 4

    def test_a_file_outside_of_the_library(self, tmp_path: Path) -> None:
        copy = shutil.copy(self.lib.items("title:song 2")[0].filepath, tmp_path / "unknown.flac")
        lines = self.beet("similar", "--file", str(copy), "-n", "1")
        assert lines == ["1.000  artist 0 - Album - song 2"]

    def test_a_file_of_another_model_than_the_library(self, tmp_path: Path) -> None:
        copy = shutil.copy(self.lib.items("title:song 2")[0].filepath, tmp_path / "unknown.flac")
        FakePool.model_id = "newer"
        assert "run `beet resonance analyze` to switch" in self.refused("similar", "--file", str(copy))

    def test_damaged_vectors_are_named(self) -> None:
        sidecar = Sidecar(self.lib)
        with sidecar.store as store, store.write():
            nan = np.full(8, np.nan, np.float16).tobytes()
            transaction = store._local.transaction  # the damage is done below what the store lets through
            transaction.connection.exec_driver_sql("UPDATE vector SET data = ? WHERE kind = 'embedding'", (nan,))
        Sidecar(self.lib).path.with_name("resonance-fake.index").unlink(missing_ok=True)
        assert "run `beet resonance check --repair`" in self.refused("similar", "title:song 0")

    def test_a_playlist_opens_with_the_match_and_has_every_track_once(self) -> None:
        lines = self.beet("playlist", "-f", "$title", "title:song 3")
        assert lines[0] == "song 3"
        assert sorted(lines) == [f"song {number}" for number in range(5)]

    @pytest.mark.parametrize("seconds", [1, 6, 9, 12])
    def test_a_playlist_plays_about_as_long_as_asked(self, seconds: float) -> None:
        titles = self.beet("playlist", "-m", str(seconds / 60), "-f", "$title", "title:song 3")
        lengths = [1 + int(title.split()[1]) for title in titles]
        assert len(lengths) == 1 or abs(sum(lengths) - seconds) <= max(lengths) / 2
        assert lengths[0] == 4

    def test_a_playlist_of_all_there_is_may_be_shorter_than_asked(self) -> None:
        assert len(self.beet("playlist", "-m", "60", "title:song 3")) == 5

    def test_a_playlist_file_is_read_back(self, tmp_path: Path) -> None:
        target = tmp_path / "list.m3u8"
        assert self.beet("playlist", "-n", "4", "-o", str(target), "title:song 3") == [f"4 tracks written to {target}"]
        listed = self.beet("playlist", "-n", "4", "-p", "title:song 3")
        entries = [line for line in target.read_text().splitlines() if not line.startswith("#")]
        assert [str((tmp_path / entry).resolve()) for entry in entries] == listed

    def test_a_playlist_that_cannot_be_written(self, tmp_path: Path) -> None:
        target = tmp_path / "nowhere" / "list.m3u8"
        assert self.refused("playlist", "-o", str(target), "song") == (
            f"playlist: {target} cannot be written: No such file or directory"
        )

    def test_analyze_has_nothing_to_do(self) -> None:
        assert self.beet("resonance", "analyze") == ["nothing to do: all 5 tracks are analysed"]
        assert len(FakePool.embedded) == 5

    def test_analyze_pretends(self) -> None:
        item = self.song("new")
        database = Sidecar(self.lib).path.read_bytes()
        FakePool.model_id = "newer"
        lines = self.beet("resonance", "analyze", "--pretend", "title:new")
        assert lines == [str(item.filepath), "would analyse 1 track in about 1 s and forget 0"]
        assert len(FakePool.embedded) == 5
        assert Sidecar(self.lib).path.read_bytes() == database

    def test_analyze_switches_the_model_when_all_is_done(self) -> None:
        FakePool.model_id = "newer"
        self.beet("resonance", "analyze", "title:song 1")
        assert Sidecar(self.lib).model.id == "fake"  # type: ignore[union-attr]  # something is analysed
        self.beet("resonance", "analyze")
        assert Sidecar(self.lib).model.id == "newer"  # type: ignore[union-attr]  # something is analysed
        assert len(FakePool.embedded) == 10

    def test_a_model_that_embeds_nothing_is_not_taken_into_use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        FakePool.model_id = "newer"
        monkeypatch.setattr("tests.plugin.fake_pool.content_key", _unreadable)
        with pytest.raises(UserError, match="nothing could be analysed"):
            self.run_command("resonance", "analyze")
        assert Sidecar(self.lib).model.id == "fake"  # type: ignore[union-attr]  # something is analysed

    def test_a_failed_file_is_tried_again_when_it_is_named(self) -> None:
        self.song("new", name="broken.flac")
        with pytest.raises(UserError):
            self.run_command("resonance", "analyze")
        self.io.getoutput()
        assert self.beet("resonance", "analyze") == ["nothing new to analyse, 1 left out that failed before"]
        with pytest.raises(UserError):
            self.run_command("resonance", "analyze", "title:new")

    def test_a_music_folder_that_is_away(self) -> None:
        self.lib_path.rename(self.lib_path.with_name("elsewhere"))
        assert self.refused("resonance", "analyze") == (
            f"resonance: no track has its file; is {self.lib_path} there? Nothing was changed."
        )
        lines = self.beet("resonance", "status")
        assert "without a file: 5" in lines
        assert f"no file is there; is {self.lib_path} mounted?" in lines
        self.lib_path.with_name("elsewhere").rename(self.lib_path)
        assert self.beet("resonance", "analyze") == ["nothing to do: all 5 tracks are analysed"]

    def test_an_interrupt_says_what_is_kept(self, caplog: pytest.LogCaptureFixture) -> None:
        self.song("new")
        FakePool.surprise = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            self.run_command("resonance", "analyze")
        assert "stopped; 0 tracks done and kept, run it again to go on" in caplog.text

    def test_a_file_that_changed_into_a_broken_one_is_no_longer_found(self) -> None:
        self.lib.items("title:song 1")[0].filepath.write_bytes(b"no music at all")
        with pytest.raises(UserError, match="nothing could be analysed"):
            self.run_command("resonance", "analyze")
        self.io.getoutput()
        assert len(self.beet("similar", "title:song 0")) == 3
        lines = self.beet("resonance", "status")
        assert ("analysed:       4" in lines, "failed:         1" in lines) == (True, True)

    def test_a_library_of_another_name_in_the_same_folder_is_apart(self) -> None:
        sidecar = Sidecar(self.lib)
        with sidecar.store as store:
            other = store.library("other.db")
            assert other != sidecar.id
            assert store.tracks(other) == {}


def _unreadable(path: Path) -> bytes:
    from resonance_engine.errors import AudioError

    raise AudioError(path, "it cannot be read")


def test_the_number_of_tracks_is_a_setting_too() -> None:
    assert wanted_count("similar", None, Settings(count=2)) == 2
    assert wanted_count("similar", 3, Settings(count=2)) == 3


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
    assert duration(seconds) == said


@pytest.mark.parametrize(("count", "said"), [(0, "0.0 MB"), (1_250_000, "1.2 MB"), (3_456_000_000, "3.46 GB")])
def test_size(count: int, said: str) -> None:
    assert size(count) == said


@pytest.mark.parametrize(
    ("total", "failed", "missing", "tally", "said"),
    [
        (1, 0, 0, Tally(), "nothing to do: the track is analysed"),
        (1200, 0, 0, Tally(), "nothing to do: all 1,200 tracks are analysed"),
        (3, 0, 0, Tally(1), "1 track analysed in 2 s"),
        (9, 0, 0, Tally(3, 2, 1), "3 tracks analysed in 2 s, 2 recognised as known, 1 failed"),
        (9, 2, 1, Tally(), "nothing new to analyse, 2 left out that failed before, 1 without a file"),
    ],
)
def test_summary(total: int, failed: int, missing: int, tally: Tally, said: str) -> None:
    jobs = [Job(1, 0.0, None)] * (tally.embedded + tally.known + tally.failed)  # type: ignore[arg-type]  # not looked at
    failures = [Failure(b"", 0, 0, "", 1, 0.0)] * failed
    assert summary(Plan(total, jobs, [], failures, missing, []), tally, 2.0) == said
