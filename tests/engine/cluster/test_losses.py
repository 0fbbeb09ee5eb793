"""A real cluster that stops answering, loses all its workers, or has one without this package."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from resonance_engine.cluster import crew, worker_poll
from resonance_engine.cluster.connection import SchedulerConnection
from resonance_engine.cluster.settings import ClusterSettings
from resonance_engine.errors import ClusterError, ModelError
from tests.audio_files import tune, write_audio
from tests.cluster_analysis import contents, once, run_analysis
from tests.dask_cluster import run_cluster, write_bare_package
from tests.tiny_models import onnx_model

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.rest, pytest.mark.filterwarnings("ignore::ResourceWarning")]  # of sockets of what was killed
COUNT = 30


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    path.write_bytes(onnx_model())
    return path


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("music")
    return [write_audio(folder / f"{each}.flac", tune(4, 8000, seed=each), 8000) for each in range(COUNT)]


def test_a_suspended_scheduler_ends_it_and_the_rest_is_done_when_it_goes_on(
    model: Path, music: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, warnings = tmp_path / "resonance.db", []
    with run_cluster(tmp_path) as cluster:
        assert cluster.scheduler is not None
        scheduler = cluster.scheduler.pid

        def suspend() -> None:
            os.kill(scheduler, signal.SIGSTOP)
            monkeypatch.setattr(worker_poll, "LONGEST_GAP", 1.0)
            monkeypatch.setattr(worker_poll, "NOTICE_SECONDS", 0.0)
            monkeypatch.setattr(worker_poll, "SILENCE_SECONDS", 3.0)

        with pytest.raises(ClusterError, match=r"^The scheduler at \S+ does not answer any more\.$"):
            run_analysis(cluster, model, path, music, once(8, suspend), warnings)
        done = contents(path)["count"]
        assert 7 <= done < COUNT
        assert any("has not answered for 0 s" in sentence for sentence in warnings)
        monkeypatch.undo()
        os.kill(scheduler, signal.SIGCONT)
        assert run_analysis(cluster, model, path, music) == COUNT - done
    assert contents(path)["count"] == COUNT


def test_without_any_worker_left_a_warning_names_the_wait(
    model: Path, music: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, warnings = tmp_path / "resonance.db", []
    with run_cluster(tmp_path) as cluster:

        def end() -> None:
            monkeypatch.setattr(crew, "PATIENCE", 2.0)
            for worker in cluster.workers:
                cluster.kill(worker)

        with pytest.raises(ClusterError, match=r"^The scheduler at \S+ has no workers; `dask worker` starts one\.$"):
            run_analysis(cluster, model, path, music, once(8, end), warnings)
    assert 7 <= contents(path)["count"] < COUNT
    assert warnings[-1].endswith("has no workers left; one that comes within 2 s is given the work.")


def test_a_worker_without_this_package_is_named_and_lives_on(model: Path, music: list[Path], tmp_path: Path) -> None:
    """Dask's own table of the versions that differ is shown to nobody: here a warning is an error."""
    path, warnings = tmp_path / "resonance.db", []
    with run_cluster(tmp_path, workers=0) as cluster:
        bare = cluster.start_worker(code=write_bare_package(tmp_path / "bare"))
        with closing(SchedulerConnection(ClusterSettings(cluster.address))) as connection:
            cluster.wait_until(connection.workers)
            (address,) = connection.workers()
            sentence = f"The worker at {address} lacks beets-resonance; install it there, the same version"
            with pytest.raises(ModelError) as caught:
                run_analysis(cluster, model, path, music)
            assert str(caught.value) == f"{sentence}."
            cluster.start_worker()
            cluster.wait_until(lambda: len(connection.workers()) == 2)
            assert run_analysis(cluster, model, path, music, warnings=warnings) == COUNT
            assert warnings == [f"{sentence}; it is left out."]
            assert address in connection.workers()
        assert bare.poll() is None
