"""A digest of the code that computes embeddings, by which two machines compare theirs."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from resonance_engine import __version__
from resonance_engine.features.attributes import EXTRACTOR_VERSION
from resonance_engine.features.spec import FRONT_END_VERSION

PACKAGE = Path(__file__).parents[1]
ROOMS = ("audio", "features", "encoder", "network", "worker", "cluster")
"""Packages that take part in an analysis."""
LENGTH = 12  # hexadecimal digits that are compared


def fingerprint_code() -> str:
    """Return versions of package, front end and extractor with a digest of the sources, as a clause.

    The sources are read anew each time: children that start from now on run them.
    """
    digest = sha256()
    for path in sorted(path for room in ROOMS for path in (PACKAGE / room).rglob("*.py")):
        digest.update(f"{path.relative_to(PACKAGE)}\n".encode() + path.read_bytes() + b"\0")
    versions = f"{__version__}, front end {FRONT_END_VERSION}, extractor {EXTRACTOR_VERSION}"
    return f"{versions}, code {digest.hexdigest()[:LENGTH]}"
