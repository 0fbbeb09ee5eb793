"""onnxruntime's reports to its maker are off in every process that computes embeddings."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

LOAD = "import onnxruntime; from resonance_engine.encoder.model_files import SHIPPED; "
SESSION = "onnxruntime.InferenceSession(SHIPPED.read_bytes(), providers=['CPUExecutionProvider'])"
OFF_BY_THEMSELVES = ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS")


@pytest.mark.parametrize(("setting", "files"), [("", []), ("del os.environ['ORT_DISABLE_TELEMETRY']; ", [".ses"])])
def test_no_session_of_reports_begins(tmp_path: Path, setting: str, files: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in OFF_BY_THEMSELVES}
    environment |= {"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    program = f"import os, resonance_engine; {setting}{LOAD}{SESSION}"
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == files
