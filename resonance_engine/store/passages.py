"""Embeddings of recordings' dense windows, for the search for passages: table `passage`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.errors import StoreError
from resonance_engine.store.models import select_model
from resonance_engine.store.records import FLOAT16, DenseWindows, decode_rows
from resonance_engine.store.snapshot import read_batches
from resonance_engine.store.sqlite_file import select_in
from resonance_engine.store.vectors import LENGTH_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from resonance_engine.store.database import Database
    from resonance_engine.store.records import Matrix

ROWS_AT_A_TIME = 16  # of up to a megabyte
COLUMNS = "SELECT content_key, data, hop, length FROM passage WHERE model_id = ?"


@dataclass(frozen=True)
class PassageTable:
    """Dense windows by content key and model: made on demand, for few recordings or all."""

    database: Database

    def stored(self, model_id: str) -> set[bytes]:
        """Return the content keys of the recordings that the model has dense windows of."""
        with self.database.read() as snapshot:
            statement = "SELECT content_key FROM passage WHERE model_id = ?"
            return {key for (key,) in snapshot.execute(statement, (model_id,))}

    def get(self, content_keys: Iterable[bytes], model_id: str) -> dict[bytes, DenseWindows]:
        """Return the dense windows of recordings by content key; those without are left out."""
        with self.database.read() as snapshot:
            width = select_model(snapshot, model_id).dimensions
            rows = select_in(snapshot, f"{COLUMNS} AND content_key IN", content_keys, (model_id,))
            return {key: self._decode(data, hop, length, width) for key, data, hop, length in rows}

    def iterate(self, model_id: str) -> Iterator[tuple[bytes, DenseWindows]]:
        """Yield content key and dense windows of all recordings, one at a time, in order of the keys."""
        with self.database.read() as snapshot:
            width = select_model(snapshot, model_id).dimensions
            statement = f"{COLUMNS} ORDER BY content_key"
            for rows in read_batches(snapshot, statement, (model_id,), ROWS_AT_A_TIME):
                for key, data, hop, length in rows:
                    yield key, self._decode(data, hop, length, width)

    def put(self, content_key: bytes, model_id: str, windows: DenseWindows) -> None:
        """Store the dense windows of a recording instead of earlier ones.

        Raises ValueError for none, and for vectors that are not finite, of unit length within 1e-3, or zeros, and of
        the model's width; StoreError for a model that isn't registered. Nothing is stored then.
        """
        with self.database.write() as transaction:
            width = select_model(transaction.driver, model_id).dimensions
            data = windows.vectors.astype(FLOAT16).tobytes()
            reason = stored_passage_defect(data, windows.hop, windows.length, width, 2 * LENGTH_TOLERANCE)
            if reason or windows.vectors.shape[1:] != (width,):
                raise ValueError(f"The dense windows {reason or f'should be {width} wide'}.")
            row = {"content_key": content_key, "model_id": model_id, "data": data}
            transaction.upsert("passage", [{**row, "hop": windows.hop, "length": windows.length}])

    def delete(self, content_keys: Iterable[bytes], model_id: str) -> int:
        """Delete the dense windows of recordings; return of how many there were any."""
        with self.database.write() as transaction:
            return transaction.delete("passage", "content_key", content_keys, model_id=model_id)

    def _decode(self, data: bytes, hop: float, length: float, width: int) -> DenseWindows:
        try:
            return DenseWindows(hop, length, decode_windows(data, width))
        except ValueError as error:
            raise StoreError(
                f"{self.database.name} holds damaged dense windows ({error}); run `beet resonance check --repair`."
            ) from error


def decode_windows(data: bytes, width: int) -> Matrix:
    """Return stored windows, shape (n, width), float32; ValueError for what can be none."""
    if not isinstance(data, bytes) or not data or len(data) % (width * FLOAT16.itemsize):
        raise ValueError(f"expected rows of {width} numbers")
    out = np.empty((len(data) // (width * FLOAT16.itemsize), width), np.float32)
    decode_rows([data], out.reshape(1, -1))
    return out


def stored_passage_defect(data: object, hop: object, length: object, width: int, tolerance: float) -> str | None:
    """Return what is wrong with stored dense windows, as the end of a sentence; None if nothing is."""
    if not isinstance(data, bytes):
        return f"should be bytes and are {type(data).__name__}"
    for name, seconds in (("hop", hop), ("length", length)):
        if not isinstance(seconds, float | int) or not (math.isfinite(seconds) and seconds > 0):
            return f"should have a {name} above 0 s and have {seconds!r}"
    if not data or len(data) % (width * FLOAT16.itemsize):
        return f"should take a multiple of {width * FLOAT16.itemsize} bytes and take {len(data)}"
    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(decode_windows(data, width), axis=1)
    if not np.isfinite(lengths).all():
        return "hold values that are not finite"
    lengths = lengths[lengths > 0]  # zeros stand for silent windows
    worst = float(lengths[np.argmax(np.abs(lengths - 1.0))]) if len(lengths) else 1.0
    return f"should have length 1 or 0 and have {worst:.4f}" if abs(worst - 1.0) > tolerance else None
