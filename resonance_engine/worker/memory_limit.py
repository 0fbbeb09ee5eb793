"""Limit the memory of this process, so that one file cannot exhaust the machine's."""

from __future__ import annotations

import errno
from pathlib import Path

STATM = Path("/proc/self/statm")
DATA = 5  # the field of `statm` that counts what RLIMIT_DATA limits, in pages
REFUSED = ("bad_alloc", "bad allocation", "Failed to allocate memory", "can't start new thread")
"""Messages of libraries that were refused memory, where they raise another error than MemoryError."""


def limit_memory(more: int | None) -> None:
    """Limit this process to `more` bytes beyond what it has now, None for no limit.

    Sets RLIMIT_DATA, which on Linux counts private writable memory: neither the pages of mapped files nor address space
    that is only reserved. Does nothing on systems without that limit.
    """
    try:
        import resource

        pages = int(STATM.read_text(encoding="ascii").split()[DATA])
    except (ImportError, OSError):
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = resource.RLIM_INFINITY if more is None else pages * resource.getpagesize() + more
    if hard != resource.RLIM_INFINITY:
        soft = hard if more is None else min(soft, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error means that memory was refused."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return any(text in str(error) for text in REFUSED)
