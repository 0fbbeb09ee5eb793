"""Buffers of samples embedded as the engine embeds files, and small catalogs, with three packages alone."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import packages_distributions, requires
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from resonance_engine.audio.windows import read_windows
from resonance_engine.catalog_files import CatalogEntry, write_catalog
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.errors import CatalogError, ModelError
from resonance_engine.features.resampling import resample_by_fft, resample_by_soxr
from resonance_engine.ondevice import (
    BufferEmbedder,
    cut_recording,
    read_small_catalog,
    search_catalog,
    write_small_catalog,
)
from resonance_engine.store import Embedding
from tests.audio_files import tune, write_audio
from tests.embeddings import unit_vectors
from tests.engine.exchange.exchanged import load, save
from tests.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RATE = 44_100
ALLOWED = ("numpy", "scipy", "onnxruntime")

USE = """
import sys, importlib.abc
class Refusal(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed and not name.startswith("_sysconfigdata"):
            raise ImportError(f"{name} is not installed on a device")
allowed = {*sys.stdlib_module_names, "resonance_engine", *sys.argv[1].split(",")}
sys.meta_path.insert(0, Refusal())
from resonance_engine.ondevice import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def embedder() -> BufferEmbedder:
    return BufferEmbedder()


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """WAV files of 25 s of stereo, each of another tune."""
    folder = tmp_path_factory.mktemp("songs")
    return [write_audio(folder / f"{seed}.wav", tune(25, RATE, channels=2, seed=seed), RATE) for seed in range(3)]


def own_packages() -> set[str]:
    """The names under which the three packages, and what they require, are imported."""
    pending, distributions = [*ALLOWED], set()
    while pending:
        name = pending.pop()
        if name not in distributions:
            distributions.add(name)
            parsed = map(Requirement, requires(name) or [])
            pending += [each.name for each in parsed if each.marker is None or each.marker.evaluate({"extra": ""})]
    return {name for name, owners in packages_distributions().items() if distributions & set(owners)}


def run_apart(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the commands in a fresh interpreter that has no other package."""
    return subprocess.run(
        [sys.executable, "-c", USE, ",".join(own_packages()), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


class TestWithoutOtherPackages:
    def test_the_check_refuses_others(self) -> None:
        refused = {"av", "soxr", "faiss", "sqlalchemy", "tqdm", "beets"}
        assert not own_packages() & refused
        done = subprocess.run(
            [sys.executable, "-c", USE.replace("resonance_engine.ondevice", "soxr"), "numpy"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "soxr is not installed on a device" in done.stderr

    def test_songs_are_embedded_and_found(self, songs: list[Path], tmp_path: Path) -> None:
        target = str(tmp_path / "small.npz")
        done = run_apart("embed", *map(str, songs), "--out", target)
        assert (done.returncode, done.stdout) == (0, f"3 tracks in {target}, 0 failed\n"), done.stderr
        done = run_apart("query", str(songs[1]), "--catalog", target, "--topk", "2")
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[0] == f"1.000  {songs[1].stem}"
        assert len(done.stdout.splitlines()) == 2

    def test_a_catalog_of_the_engine_is_searched_without_faiss(
        self, songs: list[Path], embedder: BufferEmbedder, tmp_path: Path
    ) -> None:
        vectors = [engine_vector(path) for path in songs]
        entries = [CatalogEntry(7 + place, str(path), "", f"Song {place}") for place, path in enumerate(songs)]
        write_catalog(tmp_path, entries, np.stack(vectors), {"id": embedder.model.id})
        done = run_apart("query", str(songs[2]), "--catalog", str(tmp_path), "--topk", "1")
        assert done.returncode == 0, done.stderr
        score, _, label = done.stdout.strip().partition("  ")
        assert label == "Song 2"
        assert float(score) >= 0.998


def engine_vector(path: Path) -> NDArray[np.float32]:
    encoder = Encoder()
    recording = read_windows(path, encoder.manifest.spec.decoding)
    return encoder.embed(encoder.front_end(recording.windows), recording.starts).vector


class TestWindows:
    def samples(self, seconds: float = 30.0) -> NDArray[np.float32]:
        return tune(seconds, RATE, channels=2, seed=1).T.copy()

    def test_they_are_those_of_a_file(self, songs: list[Path], embedder: BufferEmbedder) -> None:
        decoding = embedder.encoder.manifest.spec.decoding
        expected = read_windows(songs[0], decoding)
        samples = tune(25, RATE, channels=2, seed=0).T
        recording = cut_recording(samples.copy(), RATE, decoding)
        assert recording.starts == pytest.approx(expected.starts, abs=1e-4)
        assert recording.duration == pytest.approx(expected.duration)
        assert np.abs(recording.windows - expected.windows).max() < 0.02

    def test_integers_mono_and_stereo_come_to_the_same(self, embedder: BufferEmbedder) -> None:
        decoding = embedder.encoder.manifest.spec.decoding
        samples = self.samples()
        whole = cut_recording(samples, RATE, decoding).windows
        mono = cut_recording(samples.mean(axis=1, dtype=np.float32), RATE, decoding).windows
        integers = cut_recording(np.rint(32768 * samples).clip(-32768, 32767).astype(np.int16), RATE, decoding).windows
        np.testing.assert_allclose(mono, whole, atol=1e-6)
        np.testing.assert_allclose(integers, whole, atol=1e-4)

    def test_a_short_buffer_is_repeated(self, embedder: BufferEmbedder) -> None:
        decoding = embedder.encoder.manifest.spec.decoding
        recording = cut_recording(self.samples(5), RATE, decoding)
        assert recording.short
        window, count = recording.windows[0], 5 * decoding.rate
        np.testing.assert_array_equal(window[:count], window[count : 2 * count])

    def test_windows_come_from_the_beginning_where_the_rest_is_silent(self, embedder: BufferEmbedder) -> None:
        decoding = replace(embedder.encoder.manifest.spec.decoding, windows=1)
        samples = np.zeros((600 * 8000, 1), np.float32)
        samples[: 170 * 8000, 0] = tune(170, 8000, channels=1, seed=2).reshape(-1)
        assert cut_recording(samples, 8000, decoding).starts == pytest.approx((81.0,))

    @pytest.mark.parametrize(
        ("samples", "rate", "reason"),
        [
            (np.zeros(RATE * 5, np.float64), RATE, "should be a NumPy array of float32 or int16"),
            (np.zeros((2, 2, RATE), np.float32), RATE, "should be a NumPy array of float32 or int16"),
            (
                np.zeros((2, RATE * 5), np.float32),
                RATE,
                r"with up to 8 channels, and are float32 \(2, 220500\)",
            ),
            (np.zeros((RATE * 5, 0), np.float32), RATE, "with up to 8 channels"),
            (np.zeros(RATE * 2, np.float32), RATE, "2.00 s of samples came; at least 3 s are needed"),
            (np.zeros(0, np.float32), RATE, "0.00 s of samples came"),
            (np.zeros(RATE * 5, np.float32), RATE, "The samples are silent"),
            (np.full(RATE * 5, np.nan, np.float32), RATE, "hold NaN or infinity within 5 s from second 0.0 on"),
            (np.full((RATE * 5, 2), np.inf, np.float32), RATE, "hold NaN or infinity"),
            ([0.1, 0.2], RATE, "should be a NumPy array of float32 or int16, .* and are of the type list"),
            (None, RATE, "and are of the type NoneType"),
            (np.zeros(RATE * 5, np.float32), 0, "The rate should be 1,000 to 3,000,000 Hz and is 0"),
        ],
    )
    def test_other_buffers_are_refused_in_a_sentence(
        self, embedder: BufferEmbedder, samples: NDArray[np.float32], rate: int, reason: str
    ) -> None:
        with pytest.raises(ValueError, match=reason):
            embedder.embed(samples, rate)


def swell(frequency: float, rate: int) -> NDArray[np.float32]:
    """Two seconds of a tone that comes and goes."""
    seconds = np.arange(2 * rate) / rate
    return (np.sin(np.pi * seconds / 2) ** 2 * np.sin(2 * np.pi * frequency * seconds)).astype(np.float32)


class TestResampling:
    @given(st.sampled_from([8000, 16000, 22050, 44100, 48000, 96000, 44101]), st.sampled_from([16000, 22050, 44100]))
    def test_a_tone_of_the_pass_band_stays_as_it_is(self, rate: int, target: int) -> None:
        frequency = 0.4 * min(rate, target)
        resampled = resample_by_fft(swell(frequency, rate), rate, target)
        assert resampled.dtype == np.float32
        np.testing.assert_allclose(resampled, swell(frequency, target), atol=2e-4)

    def test_what_the_lower_rate_cannot_hold_is_gone(self) -> None:
        tone = np.sin(2 * np.pi * 9000 * np.arange(2 * RATE) / RATE).astype(np.float32)
        assert np.abs(resample_by_fft(tone, RATE, 16000))[1000:-1000].max() < 1e-3

    @given(st.integers(1, 3000), st.integers(1000, 100_000), st.integers(1000, 100_000))
    def test_any_length_and_rate(self, count: int, rate: int, target: int) -> None:
        resampled = resample_by_fft(np.ones(count, np.float32), rate, target)
        assert abs(len(resampled) - count * target / rate) <= 1
        assert np.isfinite(resampled).all()

    @given(st.sampled_from([16000, 22050, 44100, 48000]), st.integers(0, 40_000), st.integers(0, 4_000))
    def test_silence_stays_silent(self, target: int, start: int, length: int) -> None:
        samples = np.zeros(RATE, np.float32)
        samples[start : start + length] = 0.5
        resampled = resample_by_fft(samples, RATE, target)
        places = np.arange(len(resampled)) * RATE / target
        reach = 35 * max(1, RATE / target)
        assert not resampled[(places < start - reach) | (places > start + length + reach)].any()

    def test_it_is_near_to_soxr(self) -> None:
        samples = tune(5, RATE, channels=1, seed=3).reshape(-1)
        mine, other = (resample(samples, RATE, 16000) for resample in (resample_by_fft, resample_by_soxr))
        assert np.abs(mine - other).max() < 0.01 * np.abs(samples).max()


class TestSmallCatalog:
    def make(self, folder: Path, embedder: BufferEmbedder, count: int = 4) -> Path:
        width = embedder.model.dimensions
        embeddings = [embedding_of(vector) for vector in unit_vectors(count, width)]
        write_small_catalog(folder / "small.npz", [f"{n}.wav" for n in range(count)], embeddings, embedder.model)
        return folder / "small.npz"

    def test_tracks_are_nearest_to_themselves(self, embedder: BufferEmbedder, tmp_path: Path) -> None:
        catalog = read_small_catalog(self.make(tmp_path, embedder))
        for number, vector in enumerate(unit_vectors(4, embedder.model.dimensions)):
            hits = search_catalog(catalog, embedder, embedding_of(vector), count=3)
            assert hits[0].entry.label == str(number)
            assert hits[0].score == pytest.approx(1, abs=1e-3)
            assert len(hits) == 3

    def test_another_model_is_refused(self, embedder: BufferEmbedder, tmp_path: Path) -> None:
        catalog = replace(read_small_catalog(self.make(tmp_path, embedder)), model_id="another")
        with pytest.raises(ModelError, match="was made with the model another"):
            search_catalog(catalog, embedder, embedding_of(unit_vectors(1, 512)[0]))

    @pytest.mark.parametrize(
        ("name", "value", "reason"),
        [
            ("embeddings", np.ones((3, 512), np.float16), "its embeddings are of the shape"),
            ("embeddings", np.full((4, 512), np.nan, np.float16), "holds vectors that no model made"),
            ("embeddings", np.ones((4, 512)), "its embeddings no numbers"),
            ("paths", np.arange(4), "its paths are no texts"),
            ("manifest", np.array("{}"), "not that of a file of vectors"),
        ],
    )
    def test_a_file_that_was_changed_is_refused(
        self, embedder: BufferEmbedder, tmp_path: Path, name: str, value: NDArray[np.float32], reason: str
    ) -> None:
        path = self.make(tmp_path, embedder)
        with pytest.raises(CatalogError, match=reason):
            read_small_catalog(save(path, {**load(path), name: value}))

    def test_what_is_no_catalog_is_refused(self, embedder: BufferEmbedder, tmp_path: Path) -> None:
        path = self.make(tmp_path, embedder)
        path.write_bytes(path.read_bytes()[:-10])
        with pytest.raises(CatalogError, match="is no NumPy archive"):
            read_small_catalog(path)
        with pytest.raises(CatalogError, match="No such file"):
            read_small_catalog(tmp_path / "none.npz")
        with pytest.raises(CatalogError, match="is no catalog"):
            read_small_catalog(tmp_path)


def embedding_of(vector: NDArray[np.float32]) -> Embedding:
    return Embedding(vector)


@pytest.mark.slow
def test_an_environment_with_nothing_else_embeds_as_the_engine(songs: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), *ALLOWED], check=True)
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
    listed = subprocess.run([*pip[:3], "list", "--format=freeze"], check=True, capture_output=True, text=True)
    installed = {line.partition("==")[0] for line in listed.stdout.splitlines()} - {"pip", "setuptools", "wheel"}
    assert installed <= {*ALLOWED, "beets-resonance", "flatbuffers", "packaging", "protobuf"}
    target = tmp_path / "small.npz"
    run = [python, "-m", "resonance_engine.ondevice"]
    subprocess.run([*run, "embed", *map(str, songs), "--out", str(target)], check=True, cwd=tmp_path)
    vectors = load(target)["embeddings"].astype(np.float32)
    cosines = [float(vector @ engine_vector(path)) for vector, path in zip(vectors, songs, strict=True)]
    assert min(cosines) >= 0.999
    words = ["query", str(songs[2]), "--catalog", str(target)]
    query = subprocess.run([*run, *words], check=True, cwd=tmp_path, capture_output=True, text=True)
    assert query.stdout.startswith(f"1.000  {songs[2].stem}\n")
