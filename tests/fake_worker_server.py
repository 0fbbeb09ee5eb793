"""A worker's child with all that `listener` does for one, save for decoder and model.

python -m tests.fake_worker_server MEMORY

greedy.wav  asks for a terabyte       creeping.wav  for ever more, a little at a time
refused.wav is refused as by C++      ffmpeg.wav    is refused as by FFmpeg
hang.wav    never answers             any other     is identified by the hash of its name
"""

from __future__ import annotations

import errno
import hashlib
import sys
import time
from typing import TYPE_CHECKING

from resonance_engine.errors import AudioError
from resonance_engine.worker.protocol import Message
from resonance_engine.worker.server import run_server

if TYPE_CHECKING:
    from pathlib import Path

    from resonance_engine.worker.server import Verbs


def identify(path: Path) -> Message:
    name, taken = path.stem, []
    if name == "greedy":
        bytearray(1 << 40)
    while name == "creeping":
        taken.append(bytearray(1 << 20))
    if name == "refused":
        raise RuntimeError("std::bad_alloc")
    if name == "ffmpeg":
        raise AudioError(path, "it is damaged") from OSError(errno.ENOMEM, "Cannot allocate memory")
    while name == "hang":
        time.sleep(1)
    return Message({"key": hashlib.blake2b(path.name.encode(), digest_size=16).hexdigest()})


def prepared() -> tuple[Message, Verbs]:
    return Message({"id": "0" * 16, "name": "stand-in", "version": "1", "dimensions": 4}), {"identify": identify}


if __name__ == "__main__":
    run_server(prepared, int(sys.argv[1]))
