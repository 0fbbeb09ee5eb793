"""The side of a Dask worker: requests about files, done by child processes, which are kept between tasks.

A request and its answer are encoded messages. A request names its session, which stands for one client and one model,
and its verb: `put` writes content into a file of the session, `prepare` takes such a file for the model, and the verbs
of `worker.server` are about a file, at a `path` or put before under a `name`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from queue import Empty, LifoQueue
from typing import TYPE_CHECKING, Any

from resonance_engine.cluster.code_fingerprint import fingerprint_code
from resonance_engine.errors import AudioError, KilledWorkerError, ModelError, ResonanceError, describe_os_error
from resonance_engine.worker.protocol import Message, decode, encode
from resonance_engine.worker.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

IDLE_SECONDS = 600.0  # after which the children and files of a client that vanished are given up
BLOCK = 1 << 20
TRIM = "MALLOC_TRIM_THRESHOLD_"
"""A variable that Dask's nanny sets so low that a child would give back its memory after each array, and take 40 % more
CPU time for a track."""
PROCESS = uuid.uuid4().hex
"""Differs between two processes, also where one took the address of the other."""

_sessions: dict[str, Session] = {}
_lock = threading.Lock()


class Session:
    """The child processes and files of one client with one model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.code = fingerprint_code()
        self.model: dict[str, Any] | None = None
        self.model_files: frozenset[str] = frozenset()
        self.description: dict[str, Any] = {}
        self.idle: LifoQueue[Worker] = LifoQueue()
        self.workers: list[Worker] = []
        self.running = 0
        self.used = time.monotonic()
        self.closed = False

    def locate(self, name: str) -> Path:
        """Return where a file of the session is; raises ValueError for a name that leads out of its folder."""
        if name in ("", "..") or Path(name).name != name:
            raise ValueError(f"{name!r} is no name of a file")
        return self.folder / name

    def put(self, name: str, position: int, content: bytes) -> Message:
        """Write a part of a file, unless it is of a model in use, which a client sends again that was away."""
        if name in self.model_files:
            return Message({})
        with self.locate(name).open("r+b" if position else "wb") as file:
            file.seek(position)
            file.write(content)
        return Message({})

    def prepare(self, model: dict[str, Any], digests: dict[str, str]) -> Message:
        """Take a file of the session for the model, and return its description.

        `model` has its name, timeout and backend, `digests` the SHA-256 of all its files.
        """
        for name, expected in digests.items():
            if digest_file(self.locate(name)) != expected:
                raise ModelError("The model arrived damaged.")
        self.model, self.model_files = model, frozenset(digests)
        with self.borrow() as worker:
            self.description = asdict(worker.description())
        return Message({"description": self.description})

    @contextmanager
    def borrow(self) -> Iterator[Worker]:
        """Yield a worker that no other task uses; there are as many as there were tasks at once."""
        assert self.model is not None, "a session is prepared first"
        try:
            worker = self.idle.get_nowait()
        except Empty:
            model = self.model
            worker = Worker(self.locate(model["name"]), model["timeout"], model["backend"])
            with _lock:
                self.workers.append(worker)
                if self.closed:
                    worker.kill()
        try:
            yield worker
        finally:
            self.idle.put(worker)

    def analyse(self, verb: str, path: Path, spent: float, options: dict[str, Any]) -> Message:
        """Return the answer of a child about a file, with the seconds that it took."""
        with self.borrow() as worker:
            before = worker.busy
            answer = worker.request(verb, path, spent, **options)
            return Message({**answer.header, "seconds": worker.busy - before}, answer.arrays)

    def close(self) -> None:
        """End all children, whatever they are doing, and drop the files."""
        with _lock:
            self.closed = True
        for worker in self.workers:
            worker.kill()
        for worker in self.workers:
            worker.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def handle(request: bytes, content: bytes = b"") -> bytes:
    """Answer a request; the function of every task."""
    header = decode(request).header
    about = {"process": PROCESS, "model": ""}
    try:
        with open_session(header["session"]) as session:
            about["code"] = session.code
            answer = respond(session, header, content)
            about["model"] = session.description.get("id", "")
    except AudioError as error:
        answer = Message({"reason": error.reason, "killed": isinstance(error, KilledWorkerError)})
    except ResonanceError as error:
        answer = Message({"unusable": str(error)})
    except OSError as error:
        answer = Message({"unusable": f"it cannot keep files ({describe_os_error(error)})"})
    except Exception as error:  # an answer comes of everything: Dask would pickle the error, or fail to
        answer = Message({"unusable": f"a request failed ({type(error).__name__}: {error})"})
    if "code" not in about:  # no session could be opened
        about["code"] = fingerprint_code()
    return encode(Message({**answer.header, **about}, answer.arrays))


def respond(session: Session, header: dict[str, Any], content: bytes) -> Message:
    """Do what a request names; the answer lacks what all answers have."""
    verb = header["verb"]
    if verb == "put":
        return session.put(header["name"], header["position"], content)
    if verb == "prepare":
        return session.prepare(header["model"], header["digests"])
    if session.model is None:  # this process took the place of another, which was
        return Message({"unprepared": True})
    if "name" in header:
        path = session.locate(header["name"])
        try:
            return session.analyse(verb, path, header["spent"], header["options"])
        finally:
            path.unlink(missing_ok=True)
    path = Path(os.fsdecode(bytes.fromhex(header["path"])))
    size = file_size(path)
    if size != header["size"]:
        return Message({"other_size": size})
    return session.analyse(verb, path, header["spent"], header["options"])


@contextmanager
def open_session(token: str) -> Iterator[Session]:
    """Yield the session of a client, a new one where there is none, and count a task for it."""
    with _lock:
        session = _sessions.get(token)
        if session is None:
            os.environ.pop(TRIM, None)  # this process has read it; children inherit what is left
            session = _sessions[token] = Session(Path(tempfile.mkdtemp(prefix="resonance-", dir=scratch_folder())))
            threading.Thread(target=watch, args=(token, session), daemon=True).start()
        session.running += 1
    try:
        yield session
    finally:
        with _lock:
            session.running -= 1
            session.used = time.monotonic()


def watch(token: str, session: Session) -> None:
    """Close a session that was not used for long: its client vanished."""
    while not session.closed:
        time.sleep(IDLE_SECONDS / 10)
        if not session.running and time.monotonic() - session.used > IDLE_SECONDS:
            close_session(token)


def close_session(token: str) -> None:
    """End the children of a client, if it has any, and drop its files."""
    with _lock:
        session = _sessions.pop(token, None)
    if session is not None:
        session.close()


async def release(token: str) -> None:
    """Close a session beside the event loop of a Dask worker, whose tasks may all be busy."""
    threading.Thread(target=close_session, args=(token,), daemon=True).start()


def scratch_folder() -> str | None:
    """Return the folder of this Dask worker, which Dask empties after a kill; None in no such process."""
    with suppress(ImportError, ValueError):
        from distributed import get_worker

        return str(get_worker().local_directory)
    return None


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def file_size(path: Path) -> int | None:
    """Return the size of a file in bytes, None where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return None
