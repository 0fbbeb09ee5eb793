"""Start processes: workers that run a model, and the background analysis."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from resonance_engine.ingest import AnalysisPool


class Runtime:
    """Starts the processes of the plugin, and knows the shipped model; an argument wherever one is needed."""

    @property
    def shipped(self) -> Path:
        """The file of the shipped model."""
        from resonance_engine.encoder.model_files import SHIPPED

        return SHIPPED

    def open_pool(self, model: Path, count: int, timeout: float) -> AnalysisPool:
        """Return `count` workers with a model, which start when needed and give up a file after `timeout` seconds."""
        from resonance_engine.worker.worker import WorkerPool

        return WorkerPool(model, count, timeout)

    def spawn(self, command: list[str]) -> None:
        """Start a process that belongs to no terminal, holds no folder, and survives this one."""
        root = str(Path(__file__).parents[3])
        search_path = [
            str(Path(entry).absolute()) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry
        ]
        try:
            process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={**os.environ, "PYTHONPATH": os.pathsep.join([root, *search_path])},
                start_new_session=True,
            )
        except OSError as error:
            raise ResonanceError(f"The background analysis does not start: {error.strerror}.") from error
        # Nothing here waits for it, and Python would warn about that.
        process.returncode = 0
