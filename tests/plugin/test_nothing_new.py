"""An analysis that finds nothing new loads neither what writes nor what runs a model."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.paths import ROOT
from tests.plugin.command_library import AnalysedLibrary

SCRIPT = """
import sys
from contextlib import closing
from pathlib import Path

from beets.library import Library
from beets.logging import getLogger

from beetsplug.resonance.commands.analyze import analyze
from beetsplug.resonance.library.runtime import Runtime
from beetsplug.resonance.library.sidecar import Sidecar


class NoWorkers(Runtime):
    shipped = Path(sys.argv[2])

    def open_pool(self, model, count, timeout):
        raise AssertionError("a worker was started")


library = Library(sys.argv[1], sys.argv[3])
with closing(Sidecar(library, runtime=NoWorkers())) as sidecar:
    analyze(sidecar, [], None, False, getLogger("beets"))
print([name for name in ("sqlalchemy", "onnxruntime", "torch", "faiss", "scipy") if name in sys.modules])
"""


class TestNothingNew(AnalysedLibrary):
    def test_what_is_loaded(self) -> None:
        arguments = [str(self.lib.path), str(self.runtime.shipped), str(self.lib_path)]
        done = subprocess.run(
            [sys.executable, "-P", "-c", SCRIPT, *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "[]"
