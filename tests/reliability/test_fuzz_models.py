"""Damaged model files in real workers: a working model or a sentence, and the program that asks lives on."""

from __future__ import annotations

import json
import random
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.encoder.manifest import METADATA_KEY
from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.errors import AudioError, ModelError
from resonance_engine.worker.worker import Worker
from tests.audio_files import tune, write_audio
from tests.reliability.fuzz_audio import wrong_embedding
from tests.reliability.fuzz_mutations import MUTATIONS
from tests.tiny_models import MANIFEST, onnx_model

if TYPE_CHECKING:
    from pathlib import Path

DAMAGES = [name for name in MUTATIONS if name not in ("ten hours", "giant tag", "giant picture", "extreme number")]
TIMEOUT = 20.0
LONGEST = 600  # characters: a path, and what to do


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_audio(tmp_path_factory.mktemp("song") / "song.wav", tune(4.0, 8000, channels=1), 8000)


def outcome(model: Path, song: Path) -> str:
    """What a worker makes of a model: "works", or a sentence."""
    try:
        with closing(Worker(model, TIMEOUT)) as worker:
            assert wrong_embedding(worker.analyse(song)) == ""
    except (ModelError, AudioError) as error:
        said = str(error)
        assert said.isprintable()
        assert len(said) <= LONGEST
        return said
    return "works"


def damaged(content: bytes, seed: int) -> bytes:
    chance = random.Random(seed)  # noqa: S311 # repeatable damage
    return bytes(MUTATIONS[chance.choice(DAMAGES)](chance, bytearray(content)))


def test_a_model_cut_in_half_is_a_sentence(tmp_path: Path, song: Path) -> None:
    whole = SHIPPED.read_bytes()
    (tmp_path / "half.onnx").write_bytes(whole[: len(whole) // 2])
    assert "is not a model that onnxruntime can run" in outcome(tmp_path / "half.onnx", song)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_damaged_model_works_or_is_a_sentence(tmp_path: Path, song: Path, seed: int) -> None:
    (tmp_path / "model.onnx").write_bytes(damaged(onnx_model(), seed))
    outcome(tmp_path / "model.onnx", song)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("which", ["tiny", "shipped"])
def test_damaged_models_by_the_dozen(tmp_path: Path, song: Path, which: str) -> None:
    whole = onnx_model() if which == "tiny" else SHIPPED.read_bytes()
    found = []
    for seed in range(100, 160):
        (tmp_path / "model.onnx").write_bytes(damaged(whole, seed))
        found.append(outcome(tmp_path / "model.onnx", song))
    assert 0 < found.count("works") < len(found)


@pytest.mark.slow
def test_noise_is_no_model(tmp_path: Path, song: Path) -> None:
    for seed in range(10):
        (tmp_path / "model.onnx").write_bytes(np.random.default_rng(seed).bytes(1 + 10**seed % 100_000))
        assert "is not a model" in outcome(tmp_path / "model.onnx", song)


@pytest.mark.slow
def test_lies_about_the_front_end_are_sentences(tmp_path: Path, song: Path) -> None:
    document = json.loads(MANIFEST.seal([b"0"]).to_json())
    for key, value in [(key, value) for key in document for value in (None, -1, 10**9, "x", [], {})]:
        lying = onnx_model(metadata={METADATA_KEY: json.dumps({**document, key: value})})
        (tmp_path / "model.onnx").write_bytes(lying)
        outcome(tmp_path / "model.onnx", song)
