"""An analysis or an import that finds nothing new loads neither what writes nor what runs a model."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.paths import ROOT
from tests.plugin.command_library import AnalysedLibrary

SCRIPT = """
import io
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

from beets.library import Library
from beets.logging import getLogger

from beetsplug.resonance.commands.analyze import analyze
from beetsplug.resonance.library.importer import Importer
from beetsplug.resonance.library.sidecar import Runtime
from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.audio.content_key import content_key
from resonance_engine.console import StatusLine
from resonance_engine.worker.worker import FileAnalysis, ModelDescription


class Identifying:
    def description(self):
        return ModelDescription("fake", "fake", "1", 8, ("timbre", "rhythm"))

    def analyse(self, paths, is_known=None, passage=None):
        for path in paths:
            assert is_known(content_key(path)), "it is new"
            yield path, FileAnalysis(path, content_key(path), 0.01)

    def close(self):
        pass


class OnlyIdentifying(Runtime):
    shipped = Path(sys.argv[2])

    def open_pool(self, model, count, timeout):
        assert sys.argv[3] == "import", "a worker was started"
        return Identifying()


library = Library(sys.argv[1], sys.argv[4])
with closing(Sidecar(library, runtime=OnlyIdentifying())) as sidecar:
    if sys.argv[3] == "import":
        items = list(library.items())
        importer = Importer(sidecar, getLogger("beets"), StatusLine(io.StringIO()))
        importer.analyse(SimpleNamespace(imported_items=lambda: items))
        importer.link(items)
        importer.finish()
    else:
        analyze(sidecar, [], None, False, getLogger("beets"))
print([name for name in ("sqlalchemy", "onnxruntime", "torch", "faiss", "scipy") if name in sys.modules])
"""


class TestNothingNew(AnalysedLibrary):
    @pytest.mark.parametrize("command", ["import", "analyze"])
    def test_what_is_loaded(self, command: str) -> None:
        arguments = [str(self.lib.path), str(self.runtime.shipped), command, str(self.lib_path)]
        done = subprocess.run(
            [sys.executable, "-P", "-c", SCRIPT, *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "[]"
