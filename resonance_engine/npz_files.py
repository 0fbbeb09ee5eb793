"""NumPy archives without pickle, written and read some rows at a time, so that memory does not grow with them.

An archive (.npz) is a ZIP file with a .npy file for each array, not compressed, as `numpy.savez` writes it. Not read by
`numpy.load`, which asks for as much memory as a header states, whatever the file holds.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import zipfile
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np

from resonance_engine.errors import printable
from resonance_engine.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

SUFFIX = ".npy"
MOST_ARRAYS = 256
LOCAL_HEADER = 30  # bytes of the fixed part of what precedes a file in a ZIP file
COPY_BYTES = 1 << 20
UNREADABLE = (zipfile.BadZipFile, RuntimeError, EOFError, zlib.error)  # what zipfile raises for files that are none


@dataclass(frozen=True)
class StoredArray:
    """An array in an open archive; `start` is the place of its first byte in the file."""

    file: BinaryIO
    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Return the rows from `start` to before `stop`, or to the last; all of an array without dimensions.

        Raises ValueError where the file ends before.
        """
        row = math.prod(self.shape[1:]) * self.dtype.itemsize
        first, last, _ = slice(start, stop).indices(self.shape[0] if self.shape else 1)
        self.file.seek(self.start + first * row)
        content = self.file.read(max(0, last - first) * row)
        if len(content) < (last - first) * row:
            raise ValueError("it ends before its arrays do")
        shape = (max(0, last - first), *self.shape[1:]) if self.shape else ()
        return np.frombuffer(content, self.dtype).reshape(shape)


def open_archive(path: Path) -> BinaryIO:
    """Open an archive to read it at any place; OSError where it cannot be read, ValueError for a pipe or a device."""
    if not (path.is_file() or path.is_dir()) and path.exists():
        raise ValueError("it is a pipe or a device, and a file is needed; put what comes out of it into one first")
    return path.open("rb")


def open_arrays(file: BinaryIO) -> dict[str, StoredArray]:
    """Return the arrays of an archive by name; ValueError, a clause about the file, for anything else.

    Their sizes agree with the file's; whether their bytes are undamaged is what `verify_checksums` tells.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > MOST_ARRAYS:
                raise ValueError(f"it has {len(members):,} arrays, more than {MOST_ARRAYS}")
            arrays = {member.filename: _open_array(archive, member, file) for member in members}
    except UNREADABLE as error:
        raise ValueError("it is no NumPy archive (.npz), or only a part of one") from error
    if len(arrays) < len(members):
        raise ValueError("two of its arrays have one name")
    return {name.removesuffix(SUFFIX): array for name, array in arrays.items()}


def verify_checksums(file: BinaryIO) -> None:
    """Raise ValueError where the bytes of an array are not those that were written."""
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
    except UNREADABLE as error:
        raise ValueError("it is damaged") from error
    if damaged:
        raise ValueError(f"its array {shown_name(damaged)} is damaged")


def shown_name(name: str) -> str:
    """Return the name of an array in an archive as text that any terminal takes."""
    return printable(name.removesuffix(SUFFIX))


def _open_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, file: BinaryIO) -> StoredArray:
    name = member.filename
    if not name.endswith(SUFFIX):
        raise ValueError(f"it holds {name!r}, which is no array")
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        raise ValueError("its arrays are compressed or encrypted; write them with numpy.savez")
    try:
        with archive.open(member) as stream:
            version = np.lib.format.read_magic(stream)
            reader = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, by_column, dtype = reader(stream)
            header = stream.tell()
    except zipfile.BadZipFile:
        raise
    except Exception as error:  # numpy raises many kinds for a header that is none
        raise ValueError(f"its array {shown_name(name)} is damaged") from error
    if dtype.hasobject or (by_column and len(shape) > 1):
        raise ValueError(f"its array {shown_name(name)} holds objects, or is stored by columns")
    file.seek(member.header_offset)
    fixed = file.read(LOCAL_HEADER)
    start = member.header_offset + LOCAL_HEADER + sum(int.from_bytes(fixed[at : at + 2], "little") for at in (26, 28))
    size = math.prod(shape) * dtype.itemsize
    if header + size != member.file_size or start + header + size > file.seek(0, os.SEEK_END):
        raise ValueError(f"its array {shown_name(name)} is of another size than it states")
    return StoredArray(file, start + header, shape, dtype)


class ArrayWriter:
    """Collects the rows of arrays in temporary files in `folder`, then writes the archive; to be used in a `with`.

    `columns` has the type of each array, and the shape of its rows.
    """

    def __init__(self, folder: Path, columns: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]) -> None:
        self.columns = columns
        self.counts = dict.fromkeys(columns, 0)
        with ExitStack() as stack:
            self.parts = {name: stack.enter_context(tempfile.TemporaryFile(dir=folder)) for name in columns}
            self.stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.close()

    def append(self, name: str, rows: NDArray[Any]) -> None:
        """Append rows, shape (n, *shape of a row), to an array, as its type."""
        dtype, shape = self.columns[name]
        assert rows.shape[1:] == shape, f"{name} has rows of {shape}, not of {rows.shape[1:]}"
        self.parts[name].write(np.ascontiguousarray(rows, dtype).tobytes())
        self.counts[name] += len(rows)

    def write(self, path: Path, others: Mapping[str, NDArray[Any]]) -> None:
        """Replace `path` by the archive of `others` and what was collected, in that order; OSError where impossible."""
        with replace_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, array in others.items():
                with archive.open(name + SUFFIX, "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
            for name, (dtype, shape) in self.columns.items():
                header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False}
                part = self.parts[name]
                part.seek(0)
                with archive.open(name + SUFFIX, "w", force_zip64=True) as member:
                    full = header | {"shape": (self.counts[name], *shape)}
                    np.lib.format.write_array_header_1_0(member, full)
                    shutil.copyfileobj(part, member, COPY_BYTES)
