"""A real cluster on this machine: what it stores is what this machine would, whatever dies meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from resonance_engine.cluster.connection import SchedulerConnection
from resonance_engine.cluster.pool import ClusterPool
from resonance_engine.cluster.settings import ClusterSettings
from resonance_engine.errors import AudioError, ClusterError, KilledWorkerError
from resonance_engine.worker.worker import WorkerPool
from tests.audio_files import tune, write_audio
from tests.cluster_analysis import contents, once, run_analysis, store_analyses
from tests.dask_cluster import make_certificates, run_cluster
from tests.paths import ROOT
from tests.tiny_models import onnx_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.dask_cluster import DaskCluster

pytestmark = [pytest.mark.rest, pytest.mark.filterwarnings("ignore::ResourceWarning")]  # of sockets of what was killed
COUNT = 40
KILLER = """
import os
from resonance_engine.cluster import remote

def respond(session, header, content):
    if "path" in header and b"killer" in bytes.fromhex(header["path"]):
        os._exit(1)
    return original(session, header, content)

if remote.respond.__module__ == remote.__name__:  # Dask runs this twice
    original, remote.respond = remote.respond, respond
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    path.write_bytes(onnx_model())
    return path


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Songs, a copy of one, and a file that is none."""
    folder = tmp_path_factory.mktemp("music")
    paths = [write_audio(folder / f"{each}.flac", tune(4, 8000, seed=each), 8000) for each in range(COUNT)]
    copy, broken = folder / "copy.flac", folder / "broken.mp3"
    shutil.copy(paths[3], copy)
    broken.write_bytes(b"no audio" * 100)
    return [*paths, copy, broken]


@pytest.fixture(scope="module")
def local(model: Path, music: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What an analysis on this machine stores."""
    path = tmp_path_factory.mktemp("local") / "resonance.db"
    with closing(WorkerPool(model)) as pool:
        store_analyses(path, pool, music)
    return contents(path)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """Two workers that no test kills."""
    with run_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_certificates(tmp_path_factory.mktemp("tls") / "good")


@pytest.fixture(scope="module")
def encrypted(certificates: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A worker behind certificates."""
    with run_cluster(tmp_path_factory.mktemp("encrypted"), 1, certificates) as running:
        yield running


class TestQuiet:
    @pytest.mark.parametrize("sends_files", [False, True], ids=["paths", "content"])
    def test_what_is_stored_is_what_this_machine_stores(
        self,
        cluster: DaskCluster,
        model: Path,
        music: list[Path],
        local: dict[str, Any],
        tmp_path: Path,
        sends_files: bool,
    ) -> None:
        path = tmp_path / "resonance.db"
        assert run_analysis(cluster, model, path, music, sends_files=sends_files) == COUNT
        assert contents(path) == local
        assert run_analysis(cluster, model, path, music, sends_files=sends_files) == 0

    def test_a_missing_file_fails_alone(
        self, cluster: DaskCluster, model: Path, music: list[Path], tmp_path: Path
    ) -> None:
        missing = tmp_path / "missing.flac"
        for sends_files in (False, True):
            settings = ClusterSettings(cluster.address, sends_files=sends_files)
            with (
                closing(SchedulerConnection(settings)) as connection,
                closing(ClusterPool(connection, model)) as pool,
            ):
                results = dict(filter(None, pool.analyse([missing, *music[:3]])))
            assert str(results.pop(missing)) == f"{missing}: there is no such file"
            assert not any(isinstance(result, AudioError) for result in results.values())

    def test_nothing_stays_on_the_workers(self, cluster: DaskCluster, model: Path, music: list[Path]) -> None:
        with closing(SchedulerConnection(ClusterSettings(cluster.address, sends_files=True))) as connection:
            with closing(ClusterPool(connection, model)) as pool:
                list(pool.analyse(music[:4]))
                assert list(cluster.folder.glob("worker*/**/model.onnx"))
            cluster.wait_until(lambda: not list(cluster.folder.glob("worker*/**/resonance-*")))

    def test_dense_windows_are_those_of_this_machine(
        self, cluster: DaskCluster, model: Path, music: list[Path]
    ) -> None:
        with closing(WorkerPool(model)) as pool:
            here = dict(filter(None, pool.embed_dense(music[:3])))
        with (
            closing(SchedulerConnection(ClusterSettings(cluster.address))) as connection,
            closing(ClusterPool(connection, model)) as remote,
        ):
            there = dict(filter(None, remote.embed_dense(music[:3])))
        for path, result in here.items():
            other = there[path]
            assert not isinstance(result, AudioError)
            assert not isinstance(other, AudioError)
            assert result.windows is not None
            assert other.windows is not None
            assert other.windows.vectors.tobytes() == result.windows.vectors.tobytes()
            assert replace(other, windows=None, seconds=0) == replace(result, windows=None, seconds=0)

    def test_a_worker_with_other_code_that_joins_is_left_out(
        self, model: Path, music: list[Path], local: dict[str, Any], tmp_path: Path
    ) -> None:
        changed = tmp_path / "changed"
        shutil.copytree(
            ROOT / "resonance_engine", changed / "resonance_engine", ignore=shutil.ignore_patterns("models")
        )
        with (changed / "resonance_engine" / "audio" / "decoding.py").open("a") as file:
            file.write("# changed\n")
        warnings: list[str] = []
        with run_cluster(tmp_path, workers=1) as cluster:
            cluster.start_worker(code=changed)
            with closing(SchedulerConnection(ClusterSettings(cluster.address))) as connection:
                cluster.wait_until(lambda: len(connection.workers()) == 2)
            path = tmp_path / "resonance.db"
            run_analysis(cluster, model, path, music, warnings=warnings)
        assert contents(path) == local
        (warning,) = warnings
        assert "has beets-resonance 0.1.0" in warning
        assert warning.endswith("install the same on both; it is left out.")


class TestKills:
    def test_files_of_a_killed_worker_go_to_another(
        self, model: Path, music: list[Path], local: dict[str, Any], tmp_path: Path
    ) -> None:
        path = tmp_path / "resonance.db"
        with run_cluster(tmp_path) as cluster:
            embedded = run_analysis(cluster, model, path, music, once(8, cluster.workers[0].kill))
        assert embedded == COUNT
        assert contents(path) == local

    def test_a_file_that_ends_its_worker_three_times_fails_alone(
        self, model: Path, music: list[Path], local: dict[str, Any], tmp_path: Path
    ) -> None:
        killer, preload = tmp_path / "killer.flac", tmp_path / "preload.py"
        shutil.copy(music[0], killer)
        preload.write_text(KILLER)
        path = tmp_path / "resonance.db"
        with run_cluster(tmp_path, workers=0) as cluster:
            for _ in range(2):
                cluster.start_worker(nanny=True, preload=preload)
            run_analysis(cluster, model, path, [*music, killer])
        known = contents(path)
        reason = known["failures"].pop(os.fsencode(killer))
        assert reason == "decoding it ended 3 workers of the cluster, as happens where memory runs out"
        assert known == local

    def test_a_scheduler_that_is_killed_is_a_sentence_and_the_rest_is_done_by_another(
        self, model: Path, music: list[Path], local: dict[str, Any], tmp_path: Path
    ) -> None:
        path = tmp_path / "resonance.db"
        with run_cluster(tmp_path) as cluster:
            assert cluster.scheduler is not None
            with pytest.raises(ClusterError, match=r"^The scheduler at \S+ went away\.$"):
                run_analysis(cluster, model, path, music, once(8, cluster.scheduler.kill))
        done = contents(path)["count"]
        assert 7 <= done < COUNT
        (tmp_path / "again").mkdir()
        with run_cluster(tmp_path / "again", workers=1) as cluster:
            assert run_analysis(cluster, model, path, music) == COUNT - done
        assert contents(path) == local

    def test_all_children_end_with_their_worker(self, model: Path, music: list[Path], tmp_path: Path) -> None:
        with (
            run_cluster(tmp_path, workers=1) as cluster,
            closing(SchedulerConnection(ClusterSettings(cluster.address))) as connection,
            closing(ClusterPool(connection, model)) as pool,
        ):
            next(filter(None, pool.analyse(music)))
            (worker,) = cluster.workers
            children = cluster.children(worker)
            assert children
            os.kill(worker.pid, signal.SIGKILL)
            cluster.wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children))


class TestEncryption:
    def test_an_analysis_over_tls_stores_the_same(
        self,
        encrypted: DaskCluster,
        certificates: dict[str, Path],
        model: Path,
        music: list[Path],
        local: dict[str, Any],
        tmp_path: Path,
    ) -> None:
        path = tmp_path / "resonance.db"
        files = {name: str(file) for name, file in certificates.items()}
        assert run_analysis(encrypted, model, path, music, **files) == COUNT
        assert contents(path) == local


def test_a_file_that_takes_too_long_is_its_own_failure(cluster: DaskCluster, model: Path, music: list[Path]) -> None:
    """As on this machine: the child is killed, the worker itself goes on."""
    with closing(SchedulerConnection(ClusterSettings(cluster.address))) as connection:
        with closing(ClusterPool(connection, model, timeout=0.001)) as pool:
            error = dict(filter(None, pool.analyse([music[0]])))[music[0]]
        assert isinstance(error, AudioError)
        assert not isinstance(error, KilledWorkerError)
        assert error.reason == "it took longer than 0.001 s and was given up"
        with closing(ClusterPool(connection, model)) as pool:
            result = dict(filter(None, pool.analyse([music[0]])))[music[0]]
        assert not isinstance(result, AudioError)
