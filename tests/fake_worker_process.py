"""A worker's child without decoder and model: what it does is in the names of the files.

python tests/fake_worker_process.py [BEGINNING]    ("silent": describes no model, "dying": ends, "late": in a second)

crash.wav   dies of SIGSEGV           hang.wav    never answers, and makes the file
exit.wav    ends with status 7        trickle.wav answers a byte at a time, without end
noise.wav   answers no message        slow.wav    answers each question after half a second
bad.wav     cannot be decoded         greedy.wav  needs too much memory
any other   is identified by the hash of its name, and sounds like all others
"""

import hashlib
import json
import os
import signal
import struct
import sys
import time
from pathlib import Path

SOUND = {"gates": {"timbre": 1.0}, "tags": {}, "starts": [0.0], "attributes": {"tempo": 120.0}, "extractor": "1"}
SHAPES = {"embedding": [4], "facet:timbre": [4], "windows": [1, 4]}


def send(numbers: bytes = b"", arrays: object = None, **header: object) -> None:
    body = json.dumps({**header, "arrays": arrays or {}}).encode()
    sys.stdout.buffer.write(len(body).to_bytes(4, "big") + body + numbers)
    sys.stdout.buffer.flush()


def trickle() -> None:
    while True:
        os.write(1, b"\0")
        time.sleep(0.05)


def answer(verb: str, path: Path) -> None:
    name = path.stem
    if name == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif name == "exit":
        sys.exit(7)
    elif name == "hang":
        path.touch()
        signal.pause()
    elif name == "trickle":
        os.write(1, (1000).to_bytes(4, "big"))
        trickle()
    elif name == "noise":
        os.write(1, b"warning: odd file")
    elif name == "bad":
        send(reason="it holds no audio")
    elif name == "greedy":
        send(reason="it needs too much memory", spent=True)
    else:
        time.sleep(0.5 if name == "slow" else 0)
        if verb == "embed":
            send(3 * struct.pack("<4f", 1, 0, 0, 0), SHAPES, **SOUND)
        else:
            send(key=hashlib.blake2b(os.fsencode(path.name), digest_size=16).hexdigest())


def main() -> None:
    beginning = sys.argv[1] if len(sys.argv) > 1 else ""
    if beginning == "dying":
        sys.exit(3)
    if beginning == "silent":
        signal.pause()
    if beginning == "late":
        time.sleep(1)
    send(id="0" * 16, name="stand-in", version="1", dimensions=4, modalities=["timbre"])
    while size := sys.stdin.buffer.read(4):
        request = json.loads(sys.stdin.buffer.read(int.from_bytes(size, "big")))
        send(begun=True)
        answer(request["verb"], Path(os.fsdecode(bytes.fromhex(request["path"]))))


if __name__ == "__main__":
    main()
