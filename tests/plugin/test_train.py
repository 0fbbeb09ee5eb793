"""`beet resonance train`: what it learns from, what it says of the result, and when that is taken into use."""

from __future__ import annotations

import math
import shutil
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from beetsplug.resonance.commands import train
from beetsplug.resonance.commands.train import analysis_seconds
from beetsplug.resonance.library.model_folder import write_folder
from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.errors import ConfigError, ModelError, TrainingError
from tests.embeddings import WIDTH
from tests.plugin.command_library import AnalysedLibrary

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.store.records import Matrix
    from resonance_engine.training.data.songs import Song

SENTENCE = "It is better at the held-out albums (+0.050, 95 % interval +0.020 to +0.080)."
TABLE = [
    "held out                               before  after",
    "same album, by other artists (mAP)     0.400   0.450",
    "same artist, on other albums (mAP)     -       -",
    "windows of the same track (recall@1)   0.900   0.895",
]


def judgement(verdict: str) -> SimpleNamespace:
    before = {"album": 0.4, "artist": math.nan, "segment recall": 0.9}
    after = {"album": 0.45, "artist": math.nan, "segment recall": 0.895}
    return SimpleNamespace(
        before=before,
        after=after,
        queries=40,
        difference=0.05,
        interval=(0.02, 0.08),
        verdict=verdict,
        sentence=SENTENCE,
    )


class FakeTraining:
    """Stands for `finetune.fine_tune`: measures nothing, and comes to the verdict that a test wants."""

    def __init__(self) -> None:
        self.verdict = "better"
        self.surprise: BaseException | None = None
        self.asked: dict[str, Any] = {}

    def __call__(self, model: Path, songs: list[Song], windows: list[Matrix]) -> SimpleNamespace:
        self.asked = {"model": model, "songs": songs, "windows": windows}
        if self.surprise is not None:
            raise self.surprise
        return SimpleNamespace(judgement=judgement(self.verdict), learned=3, judged=1)


class TrainedLibrary(AnalysedLibrary):
    """Five tracks, all analysed by the shipped model."""

    @pytest.fixture(autouse=True)
    def training(self, monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
        made = FakeTraining()
        monkeypatch.setattr(train, "PACKAGES", ())
        monkeypatch.setattr(train, "is_interactive", lambda: False)
        monkeypatch.setattr(train, "load_fine_tuning", lambda: made)
        monkeypatch.setattr(
            train,
            "save_model",
            lambda _, name, folder: write_folder(folder, lambda at: (at / "model.onnx").write_text(name)),
        )
        return made

    @property
    def folder(self) -> Path:
        return Sidecar(self.lib).path.with_name("resonance-models")

    def in_use(self) -> str:
        with closing(Sidecar(self.lib)) as sidecar:
            assert sidecar.model is not None, "something is analysed"
            return sidecar.model.id


class TestTrain(TrainedLibrary):
    """What is learned from tracks that are all analysed."""

    @pytest.fixture(autouse=True)
    def _nothing_is_written_to_the_library(self, _analysed: None) -> Any:
        before = self.lib.path.read_bytes()
        yield
        assert self.lib.path.read_bytes() == before

    def answered(self, monkeypatch: pytest.MonkeyPatch, answer: str) -> list[str]:
        """What `train` prints on a terminal whose user answers its question."""
        monkeypatch.setattr(train, "is_interactive", lambda: True)
        self.io.addinput(answer)
        return self.beet("resonance", "train")

    def test_where_no_model_can_be_kept_nobody_waits_for_one(self, training: FakeTraining) -> None:
        self.folder.write_text("in the way")
        assert "resonance-models is not a folder that can be written to" in self.refused("resonance", "train")
        assert not training.asked

    def test_what_it_learns_from(self, training: FakeTraining) -> None:
        self.lib.items("title:song 4")[0].filepath.unlink()
        self.beet("resonance", "train", "artist:artist 0")
        assert training.asked.pop("model") == self.runtime.shipped
        songs = training.asked.pop("songs")
        assert [(song.title, song.artist, song.album) for song in songs] == [
            ("song 0", "artist 0", "Album"),
            ("song 2", "artist 0", "Album"),
        ]
        assert all(song.path.is_file() for song in songs)
        assert [each.shape for each in training.asked["windows"]] == [(1, WIDTH)] * 2

    def test_numbers_and_sentence(self) -> None:
        lines = self.beet("resonance", "train")
        assert lines[0] == "learned from 3 tracks, judged by 1 others"
        assert [line.split() for line in lines[1:5]] == [line.split() for line in TABLE]
        assert lines[5] == SENTENCE

    def test_what_is_analysed_is_not_analysed_again(
        self, training: FakeTraining, caplog: pytest.LogCaptureFixture
    ) -> None:
        before, starts = list(self.runtime.embedded), self.runtime.starts
        for item in self.lib.items():
            item.filepath.touch()
        self.beet("resonance", "train")
        assert len(training.asked["songs"]) == 5
        assert "learning from 5 tracks, all analysed already" in caplog.text
        assert self.runtime.embedded == before
        assert self.runtime.starts == starts, "a model was loaded"

    @pytest.mark.parametrize("verdict", ["not better", "cannot tell"])
    def test_a_model_that_is_not_better_is_not_kept(self, training: FakeTraining, verdict: str) -> None:
        training.verdict = verdict
        assert self.beet("resonance", "train", "--yes")[-1] == "nothing was changed; the new model is not kept"
        assert (self.in_use(), self.folder.exists()) == ("fake", False)

    def test_yes_takes_a_better_one_into_use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        lines = self.answered(monkeypatch, "y")
        assert lines[6] == "the new model is kept as own"
        assert lines[7].startswith("Take the new model into use? (y/N)")
        assert lines[-2] == "own 1 is in use now"
        assert self.in_use() == "own"

    @pytest.mark.parametrize("answer", ["n", ""])
    def test_no_keeps_the_old_one(self, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
        lines = self.answered(monkeypatch, answer)
        assert lines[-1].endswith(
            "`beet resonance model use own` takes it into use, `beet resonance model remove own` deletes it"
        )
        assert self.in_use() == "fake"
        assert self.beet("resonance", "model", "use", "own")[-2] == "own 1 is in use now"

    def test_without_a_terminal_it_does_not_switch_by_itself(self) -> None:
        self.beet("resonance", "train")
        assert (self.in_use(), (self.folder / "own" / "model.onnx").exists()) == ("fake", True)

    def test_the_option_yes_does(self) -> None:
        assert self.beet("resonance", "train", "-y", "--name", "evenings")[-2] == "evenings 1 is in use now"
        assert self.in_use() == "evenings"

    def test_the_next_one_has_the_next_name(self) -> None:
        for name in ("own", "own-2", "own-3"):
            assert f"the new model is kept as {name}" in self.beet("resonance", "train")

    def test_a_name_that_cannot_be(self, training: FakeTraining) -> None:
        (self.folder / "old").mkdir(parents=True)
        for name, said in [
            ("default", "resonance: there is a model default already; give another --name"),
            ("old", "resonance: there is a model old already; give another --name"),
            ("../up", "and begins with a letter or digit, not '../up'"),
            (".hidden", "and begins with a letter or digit, not '.hidden'"),
        ]:
            assert self.refused("resonance", "train", "--name", name).endswith(said)
        assert not training.asked

    def test_no_match(self) -> None:
        said = self.refused("resonance", "train", "title:nothing")
        assert said == "resonance: no track matches title:nothing; try `beet ls title:nothing`"

    def test_a_disk_that_is_away(self, training: FakeTraining) -> None:
        self.lib_path.rename(self.lib_path.with_name("elsewhere"))
        assert "none of the tracks has its file" in self.refused("resonance", "train")
        assert not training.asked

    def test_the_extra_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(train, "PACKAGES", ("json", "torch_that_is_absent"))
        assert self.refused("resonance", "train") == (
            "resonance: training needs torch_that_is_absent; install them into beets' environment with "
            "`pip install '.[train]'` in a checkout of Resonance"
        )

    def test_the_configuration_decides(self, training: FakeTraining) -> None:
        self.unload_plugins()
        self.config["resonance"]["model"] = "/models/mine.onnx"
        self.load_plugins()
        assert "in the configuration decides" in self.refused("resonance", "train")
        assert not training.asked

    def test_training_that_goes_wrong_is_a_sentence(self, training: FakeTraining) -> None:
        training.surprise = TrainingError("The loss is not finite.")
        assert self.refused("resonance", "train") == "resonance: The loss is not finite"
        assert self.in_use() == "fake"

    def test_an_interrupt_changes_nothing(self, training: FakeTraining, caplog: pytest.LogCaptureFixture) -> None:
        training.surprise = KeyboardInterrupt()
        with pytest.raises(SystemExit):
            self.run_command("resonance", "train")
        assert "stopped; no model was made, what was analysed is kept" in caplog.text
        assert (self.in_use(), self.folder.exists()) == ("fake", False)

    def test_an_interrupt_while_it_hears_the_library_can_be_gone_on_with(self) -> None:
        self.runtime.surprise, self.runtime.patience = KeyboardInterrupt(), len(self.runtime.embedded) + 2
        with pytest.raises(SystemExit):
            self.run_command("resonance", "train", "--yes")
        self.runtime.surprise = None
        self.io.getoutput()
        assert self.in_use() == "fake"
        lines = self.beet("resonance", "analyze")
        assert (lines[0].startswith("3 tracks analysed in "), lines[1:-1]) == (True, ["own 1 is in use now"])


class TestNewTracks(TrainedLibrary):
    """Tracks that the shipped model has not analysed are, for so long."""

    def test_the_windows_are_those_of_the_shipped_model(self, training: FakeTraining) -> None:
        self.beet("resonance", "train", "--yes")
        assert self.in_use() == "own"
        self.song("new")
        self.beet("resonance", "analyze")
        self.beet("resonance", "train", "--name", "second")
        songs, windows = training.asked["songs"], training.asked["windows"]
        assert sorted(song.title for song in songs) == ["new", *(f"song {number}" for number in range(5))]
        with closing(Sidecar(self.lib)) as sidecar:
            keys = {track.item_id: track.content_key for track in sidecar.store.tracks.all(sidecar.id).values()}
            stored = sidecar.store.vectors.windows(keys.values(), "fake")
        known = {item.title: stored[keys[item.id]].vectors for item in self.lib.items()}
        for song, vectors in zip(songs, windows, strict=True):
            np.testing.assert_array_equal(vectors, known[song.title])
        assert self.in_use() == "own"

    def test_a_recording_counts_once(self, training: FakeTraining) -> None:
        copy = self.song("copy")
        shutil.copy(self.lib.items("title:song 1")[0].filepath, copy.filepath)
        self.beet("resonance", "train")
        assert len(training.asked["songs"]) == 5

    def test_a_file_that_fails_is_left_out(self, training: FakeTraining, caplog: pytest.LogCaptureFixture) -> None:
        self.song("new", name="broken.flac")
        self.beet("resonance", "train")
        assert len(training.asked["songs"]) == 5
        assert "not analysed: " in caplog.text

    @pytest.mark.parametrize(
        ("verdict", "line"),
        [("cannot tell", "Whether it is better cannot be told from so few"), ("not better", SENTENCE)],
    )
    def test_time_that_is_over_is_to_blame(
        self, training: FakeTraining, monkeypatch: pytest.MonkeyPatch, verdict: str, line: str
    ) -> None:
        """It is when the first new file is analysed."""
        training.verdict = verdict
        for number in range(4):
            self.song(f"new {number}")
        monkeypatch.setattr(train, "analysis_seconds", lambda _: -1.0)
        lines = self.beet("resonance", "train", "--minutes", "1")
        assert len(training.asked["songs"]) == 6
        assert any(each.startswith(line) for each in lines)
        [shortage] = [each for each in lines if "were enough to analyse 1 of 4 tracks; the other 3 take about" in each]
        assert shortage.endswith("give it more --minutes, or run `beet resonance analyze` first.")
        assert self.runtime.open == set(), "no worker goes on"

    def test_too_little_for_lack_of_time_is_no_lack_of_music(
        self, training: FakeTraining, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        training.surprise = ConfigError("Nothing can be held out: add music of other artists.")
        assert self.refused("resonance", "train").startswith("resonance: Nothing can be held out")
        for number in range(4):
            self.song(f"new {number}")
        monkeypatch.setattr(train, "analysis_seconds", lambda _: -1.0)
        said = self.refused("resonance", "train", "--minutes", "1")
        assert said.startswith("resonance: too few tracks are analysed to learn from. ")
        assert "were enough to analyse 1 of 4 tracks" in said
        assert "other artists" not in said


@pytest.mark.parametrize(("minutes", "seconds"), [(1, 40), (2, 100), (0.5, 20), (1440, 86380)])
def test_time_is_left_to_learn(minutes: float, seconds: float) -> None:
    assert analysis_seconds(minutes) == pytest.approx(seconds)


def test_a_folder_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "model.onnx").write_text("half")
        raise ModelError("It cannot be exported.")

    with pytest.raises(ModelError, match="cannot be exported"):
        write_folder(tmp_path / "models" / "own", write)
    assert list((tmp_path / "models").iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    with pytest.raises(ModelError, match=r"The model cannot be kept in .*own: "):
        write_folder(tmp_path / "models" / "own", lambda _: None)


@pytest.mark.rest
@pytest.mark.torch
def test_a_kept_model_is_one_that_runs(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from beetsplug.resonance.library.model_folder import save_model
    from resonance_engine.encoder.encoder import Encoder
    from resonance_engine.network.files import load_network
    from tests.tiny_models import MANIFEST, features
    from tests.tiny_networks import tiny_network

    network = tiny_network()
    tuned = SimpleNamespace(network=network, manifest=MANIFEST, judgement=judgement("better"))
    save_model(tuned, "evenings", tmp_path / "evenings")  # type: ignore[arg-type]  # has what is needed of a Tuned
    files = {path.name for path in (tmp_path / "evenings").iterdir()}
    assert files == {"model.onnx", "model.safetensors", "CARD.md"}
    onnx, weights = (
        Encoder(tmp_path / "evenings" / "model.onnx"),
        load_network(tmp_path / "evenings" / "model.safetensors"),
    )
    assert onnx.manifest == weights[1]
    assert (onnx.manifest.name, onnx.manifest.spec) == ("evenings", MANIFEST.spec)
    heard = onnx.embed(features(3)).vector
    assert heard == pytest.approx(Encoder(tmp_path / "evenings", "torch").embed(features(3)).vector, abs=1e-5)
    card = (tmp_path / "evenings" / "CARD.md").read_text()
    assert onnx.manifest.id in card
    assert "| album | 0.400 | 0.450 |" in card
