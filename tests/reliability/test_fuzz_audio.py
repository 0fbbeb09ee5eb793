"""Damaged audio files through a real worker, a few at each run and more in the slow tests; see `fuzz_audio`."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.errors import AudioError
from resonance_engine.store import Embedding, Windows
from resonance_engine.worker.worker import FileAnalysis, Worker
from tests.reliability.fuzz_audio import Tally, main, outcome_of, peak, report, run, wrong_embedding, wrong_reason
from tests.reliability.fuzz_files import Seed, dsf, seeds
from tests.reliability.fuzz_mutations import HOURS, MUTATIONS, Case, case, silence, ten_hours

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SEED = 11
QUICK = ("mp3", "flac", "aac", "vorbis", "wav")


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> list[Seed]:
    return seeds(tmp_path_factory.mktemp("seeds"), QUICK)


def heard(intact: list[Seed], numbers: Iterable[int]) -> Tally:
    """What became of the inputs of these numbers."""
    tally = Tally()
    run(intact, numbers, SEED, 1, tally.take)
    return tally


def test_damaged_files_are_embedded_or_refused_in_a_sentence(intact: list[Seed]) -> None:
    """All but those with holes, some of which take FFmpeg until the time is over."""
    numbers = [number for number in range(40) if not case(intact, SEED, number).hole][:20]
    tally = heard(intact, numbers)
    assert tally.violations == []
    outcomes = {outcome for _, outcome in tally.outcomes}
    assert {"embedded", "refused"} <= outcomes
    assert "inputs: 20; violations: 0" in report(tally)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_more_of_them_in_every_format(tmp_path: Path) -> None:
    tally = heard(seeds(tmp_path), range(150))
    assert tally.violations == []


def test_a_file_that_takes_more_memory_than_there_may_be_is_refused(tmp_path: Path, intact: list[Seed]) -> None:
    """FFmpeg gathers all that lies between two frames of FLAC, as in a download that was never finished."""
    seed = next(each for each in intact if each.kind == "flac")
    Case("flac", "sparse", ".flac", seed.content, 20_000, 2**29).write(tmp_path / "half.flac")
    with closing(Worker(SHIPPED, 60.0, memory=60_000_000)) as worker:
        worker.description()
        before = peak(worker)
        with pytest.raises(AudioError, match=r"none of its audio can be read|more memory than"):
            worker.analyse(tmp_path / "half.flac")
        assert peak(worker) < before + 200  # MB


@pytest.mark.slow
def test_the_command_makes_one_input_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "1", "--only", "5", "--workers", "1"]) == 0
    assert "inputs: 1; violations: 0" in capsys.readouterr().out


def test_a_number_stands_for_one_input(intact: list[Seed]) -> None:
    assert [case(intact, 0, number) for number in range(20)] == [case(intact, 0, number) for number in range(20)]
    assert case(intact, 0, 7) != case(intact, 1, 7)
    made = [case(intact, 0, number) for number in range(400)]
    assert {each.damage for each in made} >= MUTATIONS.keys()
    assert any(each.content not in {seed.content for seed in intact} for each in made)


def test_a_case_is_written_with_its_hole(tmp_path: Path, intact: list[Seed]) -> None:
    made = replace(case(intact, 0, 0), content=b"abcdef", at=2, hole=2**30)
    made.write(tmp_path / "x")
    with (tmp_path / "x").open("rb") as file:
        assert file.read(4) == b"ab\0\0"
        file.seek(2 + 2**30)
        assert file.read() == b"cdef"
    assert (tmp_path / "x").stat().st_blocks * 512 < 2**20


@pytest.mark.parametrize("kind", ["flac", "aac", "wav"])
def test_ten_hours_are_promised(tmp_path: Path, intact: list[Seed], kind: str) -> None:
    from resonance_engine.audio.decoding import open_audio

    seed = next(each for each in intact if each.kind == kind)
    path = tmp_path / f"long{seed.suffix}"
    content = bytes(ten_hours(random.Random(0), bytearray(seed.content)))  # noqa: S311 # no secret
    Case(
        kind, "ten hours", seed.suffix, content, len(content), silence(bytearray(content)) if kind == "wav" else 0
    ).write(path)
    with open_audio(path) as source:
        assert (source.duration or 0) > HOURS / 3


def test_a_stream_of_dsd_is_heard(tmp_path: Path) -> None:
    from resonance_engine.audio.decoding import open_audio

    (tmp_path / "a.dsf").write_bytes(dsf())
    with open_audio(tmp_path / "a.dsf") as source:
        assert source.measure_length(10.0) == pytest.approx(4.0, abs=0.1)


UNIT = np.eye(1, 4, dtype=np.float32)
SOUND = Embedding(UNIT[0], {"timbre": UNIT[0]}, {"timbre": 1.0}, Windows((0.0,), UNIT))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, ""),
        ({"vector": 2 * UNIT[0]}, "vectors of the lengths"),
        ({"windows": Windows((0.0,), UNIT * np.nan)}, "vectors of the lengths"),
        ({"facets": {"timbre": 0 * UNIT[0]}}, "vectors of the lengths"),
        ({"gates": {"timbre": float("nan")}}, "odd numbers"),
        ({"windows": Windows((0.0,), np.concatenate([UNIT, UNIT]))}, "odd numbers"),
    ],
)
def test_the_judge_of_embeddings(tmp_path: Path, changes: dict[str, object], found: str) -> None:
    listened = FileAnalysis(tmp_path, bytes(16), 0.1, replace(SOUND, **changes))  # type: ignore[arg-type]
    assert wrong_embedding(listened).startswith(found)
    assert bool(wrong_embedding(listened)) == bool(found)
    assert wrong_embedding(replace(listened, embedding=None)) == "no embedding"


@pytest.mark.parametrize(
    ("reason", "outcome", "sound"),
    [
        ("it is empty (0 bytes)", "refused", True),
        ("it took longer than 20 s and was given up", "timed out", True),
        ("decoding it crashed the decoder (SIGSEGV)", "crashed", True),
        ("it could not be analysed (KeyError: 3)", "refused", False),
        ("it is \x1b[2Jodd", "refused", False),
        ("x" * 400, "refused", False),
        ("", "refused", False),
    ],
)
def test_the_judge_of_reasons(reason: str, outcome: str, sound: bool) -> None:
    assert outcome_of(reason) == outcome
    assert (wrong_reason(reason) == "") == sound
