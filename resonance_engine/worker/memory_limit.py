"""How much more memory this process may take, so that one file cannot take all that the machine has."""

from __future__ import annotations

import errno
from pathlib import Path

STATM = Path("/proc/self/statm")
DATA = 5  # the field of `statm` that counts what RLIMIT_DATA limits, in pages
REFUSED = ("bad_alloc", "bad allocation", "Failed to allocate memory", "can't start new thread")
"""What libraries say of memory that they did not get, where they raise something else than MemoryError."""


def limit_memory(more: int | None) -> None:
    """Let this process take that many bytes more than it has now, None for any number.

    By RLIMIT_DATA, which on Linux counts what is private and writable: memory that was asked for, but neither the
    pages of mapped files nor address space that is only reserved. Does nothing on other systems, which have no such
    limit.
    """
    try:
        import resource

        pages = int(STATM.read_text(encoding="ascii").split()[DATA])
    except (ImportError, OSError):
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = resource.RLIM_INFINITY if more is None else pages * resource.getpagesize() + more
    if hard != resource.RLIM_INFINITY:
        wanted = hard if more is None else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def out_of_memory(error: BaseException | None) -> bool:
    """Whether an error means that memory was refused."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return any(words in str(error) for words in REFUSED)
