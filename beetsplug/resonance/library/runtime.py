"""The processes that the plugin starts: workers that analyse, and the background."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from resonance_engine.encoder.model_files import SHIPPED as SHIPPED_FILE
from resonance_engine.errors import ResonanceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonance_engine.ingest import AnalysisPool, DensePool
    from resonance_engine.worker.worker import Identifier, ModelDescription

DENSE_PATIENCE = 10.0


class Runtime:
    """Starts the processes of the plugin, and knows the shipped model; an argument wherever one is needed."""

    shipped = SHIPPED_FILE

    def open_pool(self, model: Path, count: int, timeout: float) -> AnalysisPool:
        """Return `count` workers with a model, which start when needed and give up a file after `timeout` seconds."""
        from resonance_engine.worker.worker import WorkerPool

        return WorkerPool(model, count, timeout)

    def open_dense_pool(self, model: Path, count: int, timeout: float) -> DensePool:
        """Return `count` workers that embed whole files, which take longer than an analysis: ten times `timeout`."""
        from resonance_engine.worker.worker import WorkerPool

        return WorkerPool(model, count, DENSE_PATIENCE * timeout)

    def open_identifier(self, timeout: float) -> Identifier:
        """Return what reads content keys, in a process without a model; it gives up a file after `timeout` seconds."""
        from resonance_engine.worker.worker import Identifier

        return Identifier(timeout)

    def try_model(self, model: Path, timeout: float) -> tuple[ModelDescription, float]:
        """Return what a model is, and the seconds that a test track takes with it; ModelError where it is no use."""
        from resonance_engine.worker.worker import Worker

        with closing(Worker(model, timeout)) as worker:
            return worker.description(), worker.try_model()

    def spawn(self, command: list[str], environment: Mapping[str, str]) -> None:
        """Start a process that belongs to no terminal, holds no folder, and survives this one.

        What others must not see, such as a password, comes in its `environment`, for all users see its command.
        """
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
                env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join([root, *search_path])},
                start_new_session=True,
            )
        except OSError as error:
            raise ResonanceError(f"The background analysis does not start: {error.strerror}.") from error
        # Nothing here waits for it, and Python would warn about that.
        process.returncode = 0
