"""What is exchanged of one recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resonance_engine.store import Analysis, DenseWindows, Embedding


@dataclass(frozen=True, slots=True, eq=False)
class ExchangedRecording:
    """All that an analysis stores of the recording with a content key; dense windows only where there are any."""

    key: bytes
    embedding: Embedding
    analysis: Analysis
    passages: DenseWindows | None = None
