"""The quality benchmark from the command line to its tables, on a corpus of short tunes and with tiny models."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from benchmarks.quality.baselines import RandomBaseline
from tests.audio_files import tune, write_audio
from tests.tiny_models import onnx_model
from training.default_model.corpus import read_manifest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.torch


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    lines = ["soundtrack\tartist\tpath"]
    for soundtrack in "ABCDE":
        for number in range(3):
            name = f"{soundtrack}{number}.wav"
            write_audio(tmp_path / name, tune(5.0, 8000, seed=len(lines)), 8000)
            lines.append(f"{soundtrack}\t{soundtrack.lower() if number else ''}\t{name}")
    (tmp_path / "manifest.tsv").write_text("\n".join(lines), "utf-8")
    return tmp_path


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for seed, name in enumerate(["untrained", *(f"fold-{number}" for number in range(1, 6))]):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "model.onnx").write_bytes(onnx_model(seed=seed))
    return tmp_path / "models"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: Path | str) -> int:
    pytest.importorskip("torch")
    quality = import_module("benchmarks.quality.__main__")
    monkeypatch.setattr(sys, "argv", ["quality", *map(str, arguments)])
    monkeypatch.setattr(quality, "other_systems", lambda *_: [RandomBaseline()])
    return int(quality.main())


def test_all_sections(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], corpus: Path, models: Path
) -> None:
    wanted = ["--cache", corpus / "cache", "--timed", "1", "--robust", "1", "--final", models / "fold-1"]
    assert run(monkeypatch, corpus, "--models", models, *wanted, "--json", corpus / "numbers.json") == 0
    said, problems = capsys.readouterr()
    assert "failed" not in problems
    titles = [line.removeprefix("### ") for line in said.splitlines() if line.startswith("###")]
    numbers = json.loads((corpus / "numbers.json").read_text())
    assert list(numbers) == titles
    assert list(numbers["Systems"]) == ["random", "Resonance", "Resonance, untrained"]
    # In a pool of one soundtrack everything is found.
    assert numbers["Systems"]["Resonance"]["mAP"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    facets = numbers["Resonance: facets alone"]
    assert sum(row["mean gate"]["value"] for row in facets.values()) == pytest.approx(1, abs=1e-3)
    seconds = numbers["CPU seconds of one core a track, mean of 1"]
    assert set(seconds["resonance"]) == {"decoding", "features", "networks"}
    (final,) = (rows for title, rows in numbers.items() if title.startswith("Final model"))
    assert final["MP3, 64 kbit/s"]["tracks"] == 1
    embedded = {file: file.stat().st_mtime_ns for file in (corpus / "cache").rglob("*.npz")}
    again = ["--cache", corpus / "cache", "--timed", "0"]
    assert run(monkeypatch, corpus, "--models", models, *again) == 0
    said_again = capsys.readouterr()
    assert {file: file.stat().st_mtime_ns for file in (corpus / "cache").rglob("*.npz")} == embedded != {}
    assert said_again.out.split("### Segments")[0] == said.split("### Segments")[0]


def test_laundered_copies_stand_for_their_tracks_in_the_same_folds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], corpus: Path, models: Path
) -> None:
    quality = import_module("benchmarks.quality.__main__")
    tracks = read_manifest(corpus / "manifest.tsv")
    lines = ["soundtrack\tartist\tpath\tsource\tcodec\tbit_rate\tgain\toffset\ttilt"]
    for track in tracks[1:]:
        (corpus / "laundered").mkdir(exist_ok=True)
        (corpus / "laundered" / track.path).write_bytes((corpus / track.path).read_bytes())
        lines.append(f"\t\tlaundered/{track.path}\t{track.path}\tmp3\t128\t-1.0\t0.5\t2.0")
    assert run(monkeypatch, corpus, "--laundered") == 1
    assert "training.default_model.laundering" in capsys.readouterr().err
    (corpus / "laundered.tsv").write_text("\n".join(lines), "utf-8")
    own, copies = (quality.load_labels(corpus, None, laundered) for laundered in (False, True))
    assert copies.paths == tuple(f"laundered/{path}" for path in own.paths[1:])
    assert (copies.soundtracks, copies.artists) == (own.soundtracks[1:], own.artists[1:])
    assert copies.fold.tolist() == own.fold.tolist()[1:]
    assert quality.load_labels(corpus, 5, True).paths == tuple(
        f"laundered/{path}" for path in (own.paths[1], *own.paths[3::3])
    )
    for track in tracks:
        (corpus / track.path).unlink()
    assert run(monkeypatch, corpus, "--models", models, "--laundered", "--timed", "0") == 0
    assert "failed" not in capsys.readouterr().err


def test_what_is_missing_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], corpus: Path
) -> None:
    assert run(monkeypatch, corpus / "nowhere") == 1
    assert "run: python -m training.default_model.corpus" in capsys.readouterr().err
    assert run(monkeypatch, corpus, "--models", corpus / "nowhere") == 1
    assert "There is no model at" in capsys.readouterr().err
