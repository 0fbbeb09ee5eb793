"""Seeds that are files, or passages of files and of the library's own tracks."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from beetsplug.resonance.library.runtime import Runtime
from beetsplug.resonance.library.sidecar import Sidecar
from beetsplug.resonance.search.file_seeds import analyse_files
from beetsplug.resonance.search.session import SearchSession
from resonance_engine.audio.passage import parse_passage
from resonance_engine.audio.windows import content_key
from resonance_engine.errors import AudioError, ConfigError, ModelError
from tests.audio_files import tune, write_audio
from tests.plugin.command_library import AnalysedLibrary, CommandLibrary
from tests.tiny_models import TAGGED, onnx_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def opened(commands: CommandLibrary) -> Iterator[SearchSession]:
    sidecar = Sidecar(commands.lib, runtime=commands.runtime)
    model = sidecar.model
    assert model is not None
    yield SearchSession(sidecar, model)
    sidecar.close()


class TestFileSeeds(AnalysedLibrary):
    """Beside a library of five tracks."""

    @pytest.fixture
    def search(self, _analysed: None) -> Iterator[SearchSession]:
        self.runtime.starts = 0
        yield from opened(self)

    def path(self, title: str) -> Path:
        return self.lib.items(f"title:{title}")[0].filepath

    def test_a_copy_of_a_track_is_what_the_library_knows(self, search: SearchSession, tmp_path: Path) -> None:
        copy = tmp_path / "unknown.flac"
        shutil.copy(self.path("song 2"), copy)

        [seed] = analyse_files(search.sidecar, search.model, [copy])

        assert seed.path == copy
        assert seed.key == content_key(self.path("song 2"))
        store, key, model = search.sidecar.store, {seed.key}, search.model.id
        np.testing.assert_allclose(store.vectors.get(key, model)[seed.key], seed.embedding, atol=1e-3)
        assert list(seed.profile.facets) == ["timbre", "rhythm"]
        for name, facet in seed.profile.facets.items():
            np.testing.assert_allclose(store.vectors.get(key, model, name)[seed.key], facet, atol=1e-3)
        assert store.vectors.gates(key, model)[seed.key] == pytest.approx(seed.profile.gates)
        assert store.analyses.get(key)[seed.key].attributes == seed.profile.attributes

    def test_tags_are_the_models(self, search: SearchSession) -> None:
        self.runtime.ship(self.runtime.model_id, "rock", "pop")
        assert analyse_files(search.sidecar, search.model, [self.path("song 2")])[0].profile.tags == {
            "rock": 0.5,
            "pop": 0.5,
        }

    def test_one_worker_listens_to_all_in_order(self, search: SearchSession) -> None:
        paths = [self.path(f"song {number}") for number in (3, 0, 3)]
        assert [seed.path for seed in analyse_files(search.sidecar, search.model, paths)] == paths
        assert self.runtime.starts == 1

    def test_without_files_nothing_is_started(self, search: SearchSession) -> None:
        assert analyse_files(search.sidecar, search.model, [], (0.0, 10.0)) == []
        assert self.runtime.starts == 0

    def test_what_is_no_passage_starts_nothing(self, search: SearchSession) -> None:
        with pytest.raises(ConfigError, match="The passage 1:50-1:20 ends before it begins"):
            analyse_files(search.sidecar, search.model, [self.path("song 2")], (110.0, 80.0))
        assert self.runtime.starts == 0

    def test_the_first_bad_file_is_named(self, search: SearchSession, tmp_path: Path) -> None:
        with pytest.raises(AudioError, match=r"missing\.flac: there is no such file"):
            analyse_files(
                search.sidecar,
                search.model,
                [self.path("song 2"), tmp_path / "missing.flac", tmp_path / "another.flac"],
            )

    def test_another_model_than_the_librarys(self, search: SearchSession) -> None:
        self.runtime.ship("newer")
        with pytest.raises(ModelError, match="run `beet resonance analyze` to switch"):
            analyse_files(search.sidecar, search.model, [self.path("song 2")])


class TestHeard(CommandLibrary):
    """With real workers and a real, tiny model, two tracks of six seconds, and a file that joins them."""

    @pytest.fixture
    def search(self, setup: None, tmp_path: Path) -> Iterator[SearchSession]:  # noqa: ARG002
        self.runtime = Runtime()  # type: ignore[assignment]
        model = tmp_path / "tiny.onnx"
        model.write_bytes(onnx_model(TAGGED))
        self.unload_plugins()
        self.config["resonance"].set({"model": str(model), "threads": 1})
        self.load_plugins()
        for number in range(2):
            self.song(f"song {number}", seconds=6.0)
        self.run_command("resonance", "analyze")
        yield from opened(self)

    def test_a_passage_sounds_as_the_track_that_it_was_made_of(self, search: SearchSession, tmp_path: Path) -> None:
        parts = [tune(6.0, 8000, channels=1, seed=number) for number in (1, 2)]
        joined = write_audio(tmp_path / "mix.flac", np.hstack(parts), 8000)
        tracks = search.store.tracks.vector_ids(search.sidecar.id, [1, 2], search.model.id)
        library = search.index.vectors([tracks[1], tracks[2]])

        [whole] = analyse_files(search.sidecar, search.model, [joined])
        [seed] = analyse_files(search.sidecar, search.model, [joined], parse_passage("0:06-0:12"))

        assert seed.key == whole.key == content_key(joined)
        assert float(seed.embedding @ library[1]) == pytest.approx(1.0, abs=2e-3)
        assert float(seed.embedding @ library[0]) < 0.99
        assert float(whole.embedding @ library[1]) < 0.99
        assert list(seed.profile.facets) == list(seed.profile.gates) == list(search.model.modalities)
        assert len(seed.profile.tags) == 50
        assert (whole.profile.attributes["duration"], seed.profile.attributes["duration"]) == pytest.approx((12.0, 6.0))
