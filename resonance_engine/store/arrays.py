"""Named arrays of libraries, such as the coordinates of a map: table `array`.

In NumPy's .npy format, with a BLAKE2b digest of it behind, by which damage shows. Earlier versions wrote none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from resonance_engine.errors import StoreError
from resonance_engine.store.sqlite_file import select_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from resonance_engine.store.database import Database

Array = npt.NDArray[Any]

DIGEST_BYTES = 16

MAX_BYTES = 2**25  # a larger row could not be salvaged from a damaged file, see `recovery.pages.LONGEST_ROW`


@dataclass(frozen=True)
class ArrayTable:
    """Arrays by library and name; those that belong together are stored, read and deleted together."""

    database: Database

    def names(self, library: int) -> list[str]:
        """Return the names of a library's arrays, in alphabetical order."""
        statement = 'SELECT name FROM "array" WHERE library_id = ? ORDER BY name'
        with self.database.read() as snapshot:
            return [name for (name,) in snapshot.execute(statement, (library,))]

    def get(self, library: int, names: Iterable[str]) -> dict[str, Array]:
        """Return a library's arrays by name, all of one state; those that it lacks are left out."""
        statement = 'SELECT name, data FROM "array" WHERE library_id = ? AND name IN'
        with self.database.read() as snapshot:
            rows = select_in(snapshot, statement, names, (library,))
        arrays: dict[str, Array] = {}
        for name, data in rows:
            if reason := array_defect(data):
                raise StoreError(
                    f"{self.database.name}: the array {name} {reason}; run `beet resonance check --repair`."
                )
            arrays[name] = npy.read_array(BytesIO(data), allow_pickle=False)
        return arrays

    def put(self, library: int, arrays: Mapping[str, npt.ArrayLike]) -> None:
        """Store arrays of a library instead of earlier ones of these names, all or none.

        Raises ValueError for Python objects and for more than 32 MiB in one array.
        """
        contents = {name: to_npy(array) for name, array in arrays.items()}
        rows = [{"library_id": library, "name": name, "data": data + digest(data)} for name, data in contents.items()]
        with self.database.write() as transaction:
            transaction.upsert("array", rows)

    def delete(self, library: int, names: Iterable[str]) -> int:
        """Delete arrays of a library by name; return how many there were."""
        with self.database.write() as transaction:
            return transaction.delete("array", "name", names, library_id=library)


def to_npy(array: npt.ArrayLike) -> bytes:
    """Return the bytes of an .npy file, the same for equal arrays; ValueError for objects or more than `MAX_BYTES`."""
    file = BytesIO()
    npy.write_array(file, np.ascontiguousarray(array) if np.ndim(array) else np.asarray(array), allow_pickle=False)
    data = file.getvalue()
    if len(data) > MAX_BYTES:
        raise ValueError(f"An array takes up to {MAX_BYTES:,} bytes, and this one {len(data):,}; split it.")
    return data


def digest(data: bytes | memoryview) -> bytes:
    return blake2b(data, digest_size=DIGEST_BYTES).digest()


def array_defect(data: object) -> str | None:
    """Return what is wrong with a stored array, as the end of a sentence; None if nothing is."""
    if not isinstance(data, bytes):
        return f"should be bytes and is {type(data).__name__}"
    file = BytesIO(data)
    try:
        version = npy.read_magic(file)
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, _, dtype = read_header(file)
    except (ValueError, KeyError, TypeError, SyntaxError, RecursionError, MemoryError, TokenError):
        return "has no header of an .npy file"
    if dtype.hasobject:
        return "holds Python objects, which are not read"
    # Before anything is allocated for it: a damaged header may promise any size.
    expected, actual = math.prod(shape) * dtype.itemsize, len(data) - file.tell()
    if min(shape, default=0) < 0 or actual not in (expected, expected + DIGEST_BYTES):
        return f"should hold {expected} bytes of numbers and holds {actual}"
    if actual > expected and digest(memoryview(data)[:-DIGEST_BYTES]) != data[-DIGEST_BYTES:]:
        return "is not what was stored, by its digest"
    return None
