"""Files, a model and short waits for tests with a stand-in of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from resonance_engine.cluster import crew, dispatch, worker_poll

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (crew, dispatch, worker_poll):
        monkeypatch.setattr(module, "WAKE_SECONDS", 0.01)
    monkeypatch.setattr(crew, "START_SECONDS", 0.3)
    monkeypatch.setattr(crew, "PATIENCE", 0.3)
    # However long a look takes, others come between these two.
    monkeypatch.setattr(worker_poll, "LONGEST_GAP", 0.05)
    monkeypatch.setattr(worker_poll, "NOTICE_SECONDS", 0.1)
    monkeypatch.setattr(worker_poll, "SILENCE_SECONDS", 0.3)


@pytest.fixture
def files(tmp_path: Path) -> Any:
    def write(names: Iterable[str]) -> list[Path]:
        paths = [tmp_path / name for name in names]
        for path in paths:
            path.write_bytes(b"sound")
        return paths

    return write


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    return path
