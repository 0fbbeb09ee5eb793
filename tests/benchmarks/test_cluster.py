"""The benchmark of clusters runs, and has a line for each way."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.audio_files import tune, write_audio
from tests.paths import ROOT
from tests.tiny_models import onnx_model

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.rest


def test_every_pool_has_a_rate(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="needs the extra cluster")
    model, music = tmp_path / "model.onnx", tmp_path / "music"
    model.write_bytes(onnx_model())
    music.mkdir()
    for number in range(3):
        write_audio(music / f"{number}.flac", tune(4, 8000, seed=number), 8000)
    options = ["--workers", "1", "--runs", "1", "--model", str(model)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cluster", str(music), *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split("  ")[0] for line in done.stdout.splitlines()]
    assert lines[1:] == ["local", "cluster, paths", "cluster, --send-files"]
