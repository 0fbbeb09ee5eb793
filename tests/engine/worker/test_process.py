"""A worker with its real child: a real model, real files."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.audio.windows import content_key, read_windows
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.errors import AudioError, ConfigError, ModelError
from resonance_engine.features.front_end import FrontEnd
from resonance_engine.worker.process import STARTUP_TIMEOUT, WorkerProcess, environment
from resonance_engine.worker.worker import Identifier, ModelDescription, Worker
from tests.audio_files import tune, write_audio
from tests.fake_workers import all_known, pid
from tests.tiny_models import MANIFEST, SPEC, TAGGED, onnx_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_audio(tmp_path_factory.mktemp("music") / "tune.wav", tune(4.0, 8000), 8000)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    path.write_bytes(onnx_model())
    return path


@pytest.fixture(scope="module")
def real(model: Path) -> Iterator[Worker]:
    """A worker with its real child, which several stories share."""
    with closing(Worker(model)) as worker:
        yield worker


class TestRealChild:
    def test_it_describes_its_model(self, real: Worker) -> None:
        sealed = MANIFEST.seal([b"0"])
        assert real.description() == ModelDescription(
            sealed.id, "tiny", "1", 16, ("timbre", "harmony", "rhythm"), spec=sealed.spec.to_json()
        )

    def test_it_hears_what_this_process_would_hear(self, real: Worker, music: Path, model: Path) -> None:
        heard = real.analyse(music)
        recording = read_windows(music, SPEC.decoding)
        expected = Encoder(model).embed(FrontEnd(SPEC)(recording.windows))
        assert heard.path == music
        assert heard.key == content_key(music)
        assert heard.embedding.windows.starts == pytest.approx(recording.starts)
        assert heard.seconds > 0
        assert heard.embedding is not None
        np.testing.assert_allclose(heard.embedding.vector, expected.vector, atol=1e-5)
        np.testing.assert_allclose(heard.embedding.windows.vectors, expected.windows.vectors, atol=1e-5)
        assert heard.embedding.facets.keys() == expected.facets.keys()
        for name, facet in expected.facets.items():
            np.testing.assert_allclose(heard.embedding.facets[name], facet, atol=1e-5)
        assert heard.embedding.gates == pytest.approx(expected.gates, abs=1e-5)
        assert heard.analysis is not None
        assert heard.analysis.attributes["duration"] == pytest.approx(4.0, abs=0.1)
        assert heard.analysis.attributes.keys() >= {"tempo", "key", "energy", "brightness", "short"}
        assert heard.analysis.extractor_version

    def test_it_hears_the_tags_of_a_model_that_has_some(self, music: Path, tmp_path: Path) -> None:
        path = tmp_path / "tagged.onnx"
        path.write_bytes(onnx_model(TAGGED))
        with closing(Worker(path)) as worker:
            heard = worker.analyse(music)
        windows = read_windows(music, TAGGED.spec.decoding).windows
        assert heard.embedding is not None
        assert heard.embedding.tags == pytest.approx(Encoder(path).embed(FrontEnd(TAGGED.spec)(windows)).tags, abs=1e-5)
        assert len(heard.embedding.tags) == 50

    def test_of_a_passage_it_hears_nothing_else(self, real: Worker, tmp_path: Path) -> None:
        """Between other music, and alone in a file: the same, to the last bit."""
        song = tune(4.0, 8000, seed=1)
        around = tune(3.0, 8000, seed=2)
        alone = write_audio(tmp_path / "alone.wav", song, 8000)
        amid = write_audio(tmp_path / "amid.wav", np.hstack([around, song, around]), 8000)
        expected = real.analyse(alone)

        heard = real.analyse(amid, passage=(3.0, 7.0))

        assert heard.key == content_key(amid)
        starts = expected.embedding.windows.starts
        assert heard.embedding.windows.starts == pytest.approx([3.0 + start for start in starts])
        assert heard.analysis == expected.analysis
        assert heard.embedding is not None
        assert expected.embedding is not None
        np.testing.assert_array_equal(heard.embedding.windows.vectors, expected.embedding.windows.vectors)
        np.testing.assert_array_equal(heard.embedding.vector, expected.embedding.vector)
        whole = real.analyse(amid).embedding
        assert whole is not None
        assert float(whole.vector @ expected.embedding.vector) < 0.999

    def test_a_passage_that_the_file_does_not_have_costs_the_file(self, real: Worker, music: Path) -> None:
        real.analyse(music, all_known)
        child = pid(real)
        with pytest.raises(AudioError, match=r"tune\.wav: it lasts 0:04, so it has no passage 0:08-0:20"):
            real.analyse(music, passage=(8.0, 20.0))
        with pytest.raises(ConfigError, match="ends before it begins"):
            real.analyse(music, passage=(3.5, 0.0))
        with pytest.raises(ConfigError, match="from one second of a recording to a later one, not from -1"):
            real.analyse(music, passage=(-1.0, 4.0))
        assert real.analyse(music, passage=(0.5, 4.0)).embedding is not None
        assert pid(real) == child

    def test_a_known_sound_is_only_identified(self, real: Worker, music: Path) -> None:
        keys: list[bytes] = []

        def known(key: bytes) -> bool:
            keys.append(key)
            return True

        heard = real.analyse(music, known)
        assert keys == [content_key(music)]
        assert (heard.key, heard.embedding, heard.analysis) == (keys[0], None, None)

    def test_a_broken_file_costs_itself(self, real: Worker, music: Path, tmp_path: Path) -> None:
        real.analyse(music, all_known)
        child = pid(real)
        for name, content in (("text.mp3", b"no music\n" * 1000), ("empty.flac", b"")):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(AudioError) as caught:
                real.analyse(tmp_path / name)
            assert caught.value.path == tmp_path / name
            assert "could not be analysed" not in caught.value.reason
        with pytest.raises(AudioError, match="no such file"):
            real.analyse(tmp_path / "missing.wav")
        assert real.analyse(music, all_known).key == content_key(music)
        assert pid(real) == child

    @pytest.mark.skipif(sys.platform != "linux", reason="the system knows no such limit")
    def test_a_file_that_needs_too_much_memory_costs_itself(self, model: Path, music: Path, tmp_path: Path) -> None:
        tone = np.sin(np.arange(12_000_000, dtype=np.float32) / 1000)
        large = write_audio(tmp_path / "large.wav", tone, 3_000_000)
        # FFmpeg, refused memory, names no limit; which library is refused first depends on how memory is cut up.
        reason = r"it needs more memory than (a worker .* \(0\.04 GB\)|it may have)"
        with closing(Worker(model, memory=40_000_000)) as worker:
            with pytest.raises(AudioError, match=rf"large\.wav: {reason}"):
                worker.analyse(large)
            assert worker.child is None
            assert worker.analyse(music).embedding is not None

    def test_a_path_that_is_no_text(self, real: Worker, music: Path, tmp_path: Path) -> None:
        odd = tmp_path / os.fsdecode(b"\xe9t\xe9\n.wav")
        odd.write_bytes(music.read_bytes())
        assert real.analyse(odd, all_known).key == content_key(music)

    def test_a_child_that_dies_while_idle_costs_no_file(self, real: Worker, music: Path) -> None:
        real.analyse(music, all_known)
        first = pid(real)
        os.kill(first, signal.SIGKILL)
        assert real.analyse(music, all_known).key == content_key(music)
        assert pid(real) != first

    def test_it_computes_on_one_core(self) -> None:
        assert environment()["OMP_NUM_THREADS"] == environment()["OPENBLAS_NUM_THREADS"] == "1"

    @pytest.mark.parametrize("content", [None, b"no model"], ids=["missing", "damaged"])
    def test_a_model_that_cannot_be_used_is_named(self, tmp_path: Path, content: bytes | None) -> None:
        path = tmp_path / "mine.onnx"
        if content is not None:
            path.write_bytes(content)
        with closing(Worker(path)) as worker, pytest.raises(ModelError, match=r"mine\.onnx"):
            worker.analyse(tmp_path / "any.wav")


def test_an_interrupt_of_the_terminal_while_it_starts_does_not_end_it() -> None:
    child = WorkerProcess(Identifier().command(), environment())
    try:
        os.kill(child.process.pid, signal.SIGINT)
        assert child.receive(STARTUP_TIMEOUT).header == {}
    finally:
        child.end()


def test_content_keys_need_no_model(tmp_path: Path) -> None:
    song = write_audio(tmp_path / "song.flac", tune(1, 44100), 44100)
    (tmp_path / "broken.flac").write_bytes(b"no music")
    with closing(Identifier(60.0)) as identifier:
        assert identifier.identify(song) == content_key(song)
        with pytest.raises(AudioError, match=r"broken\.flac"):
            identifier.identify(tmp_path / "broken.flac")
        assert identifier.identify(song) == content_key(song)
