"""The child's side of `worker`: decodes, measures and embeds one file after another.

    python -m resonance_engine.worker.server MODEL BACKEND MEMORY     (messages of `protocol` on its standard streams)
    python -m resonance_engine.worker.server MEMORY                   (without a model, for content keys alone)

It first sends a description of its model, if any. A request has a `verb`, a `path` (hex) and `options` of the verb;
each is answered by two messages: that it has begun, and its result. A file that needs more than MEMORY bytes is its
last one.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from resonance_engine.errors import AudioError, ModelError, ResonanceError, describe_missing_package
from resonance_engine.worker.protocol import WINDOWS, Message, analysis_message, receive, send

if TYPE_CHECKING:
    from collections.abc import Callable

    Verbs = dict[str, Callable[..., Message]]
    Load = Callable[[], tuple[Message, Verbs]]

STATM = Path("/proc/self/statm")
DATA = 5  # the field of `statm` that counts what RLIMIT_DATA limits, in pages
REFUSED = (
    "bad_alloc",
    "bad allocation",
    "Failed to allocate memory",
    "Could not allocate AVAudioFifo",
    "can't start new thread",
)
"""Messages of libraries that were refused memory, where they raise another error than MemoryError."""
LOADING, LOADING_FACTOR = 1_000_000_000, 4
"""Bytes that loading a model file may take, and how often its own size comes to them."""
PARENT_SECONDS = 1.0  # between two checks whether the parent still runs


def serve(load: Load, requests: IO[bytes], answers: IO[bytes], memory: int | None = None) -> None:
    """Load a model, send its description, then answer requests until they end.

    `memory` in bytes limits what is allocated after loading; a process that ran out of it ends with the answer to that
    request, since libraries may be left in any state. Raises BrokenPipeError when the answers are no longer read.
    """
    try:
        description, verbs = load()
    except ResonanceError as error:
        send(answers, Message({"unusable": str(error)}))
        return
    except ImportError as error:
        missing = describe_missing_package(error) if isinstance(error, ModuleNotFoundError) else ""
        sentence = missing or f"A library does not load ({error}); install beets-resonance again."
        send(answers, Message({"unusable": sentence}))
        return
    send(answers, description)
    limit_memory(memory)
    spent = False
    while not spent:
        try:
            request = receive(requests)
        except EOFError:
            return
        send(answers, Message({"begun": True}))
        try:
            path = Path(os.fsdecode(bytes.fromhex(request.header["path"])))
            send(answers, verbs[request.header["verb"]](path, **request.header["options"]))
        except BrokenPipeError:
            raise
        except Exception as error:  # a file must never end the run, whatever it provokes
            spent = is_out_of_memory(error) or is_out_of_memory(error.__cause__)
            if spent:
                limit_memory(None)  # the answer takes some, too
            send(answers, Message({"reason": failure_reason(error, memory), "spent": spent}))


def failure_reason(error: Exception, memory: int | None) -> str:
    """Return the clause on why a file failed with this error, where it may need `memory` bytes."""
    if isinstance(error, AudioError):
        return error.reason
    if isinstance(error, ModelError):
        return str(error).removesuffix(".")
    if not is_out_of_memory(error):
        return f"it could not be analysed ({' '.join(f'{type(error).__name__}: {error}'.split())})"
    if memory is None:
        return "it needs more memory than there is"
    return f"it needs more memory than a worker may use for one file ({memory / 1e9:.3g} GB)"


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


def identify(path: Path) -> Message:
    from resonance_engine.audio.windows import content_key

    return Message({"key": content_key(path).hex()})


def load_nothing() -> tuple[Message, Verbs]:
    """Return an empty description, and the function that needs no model."""
    return Message({}), {"identify": identify}


def load_model(model: Path, backend: str) -> tuple[Message, Verbs]:
    """Load a model; return its description and the functions behind the verbs."""
    from resonance_engine.audio.dense import read_dense_windows
    from resonance_engine.audio.passage import Passage
    from resonance_engine.audio.windows import read_passage, read_windows
    from resonance_engine.encoder.encoder import Encoder
    from resonance_engine.encoder.model_files import locate_model
    from resonance_engine.features.attributes import EXTRACTOR_VERSION, analyse
    from resonance_engine.store.records import Analysis
    from resonance_engine.worker.trial import try_model

    kind, file = locate_model(model, backend)
    if kind == "onnx":  # a small file of unknown origin can ask for any amount
        limit_memory(LOADING + LOADING_FACTOR * file.stat().st_size)
    encoder = Encoder(model, backend)
    manifest, front_end = encoder.manifest, encoder.front_end
    description: dict[str, Any] = {"id": manifest.id, "name": manifest.name, "version": manifest.version}
    description |= {"dimensions": manifest.dimensions, "modalities": manifest.modalities, "tags": manifest.tags}
    description["spec"] = manifest.spec.to_json()

    def embed(path: Path, passage: tuple[float, float] | None = None) -> Message:
        decoding = manifest.spec.decoding
        recording = read_passage(path, decoding, Passage(*passage)) if passage else read_windows(path, decoding)
        features = front_end(recording.windows)
        embedding = encoder.embed(features, tuple(recording.starts))
        measured = analyse(manifest.spec, recording.windows, features).to_dict()
        attributes = {**measured, "duration": recording.duration, "short": recording.short}
        return analysis_message(embedding, Analysis(str(EXTRACTOR_VERSION), attributes))

    def dense(path: Path) -> Message:
        decoding = manifest.spec.decoding
        vectors = encoder.embed_windows(read_dense_windows(path, decoding))
        return Message({"hop": decoding.hop_seconds, "length": decoding.seconds}, {WINDOWS: vectors})

    def trial(_: Path) -> Message:
        try:
            return Message({"seconds": try_model(encoder)})
        except ModelError as error:
            return Message({"unusable": str(error)})

    return Message(description), {"identify": identify, "embed": embed, "dense": dense, "trial": trial}


def run_server(load: Load, memory: int | None = None) -> None:
    """Serve on the standard streams, as a child of `worker`, and end with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    threading.Thread(target=exit_with_parent, args=(os.getppid(),), daemon=True).start()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing else may write between the messages
    with suppress(BrokenPipeError):  # the parent is gone
        serve(load, sys.stdin.buffer, answers, memory)


def exit_with_parent(parent: int) -> None:
    """End this process soon after its parent, which may be killed while a file hangs here.

    Not by PR_SET_PDEATHSIG, which would end it with the thread of the parent that started it.
    """
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os._exit(1)


def main() -> None:
    *model, memory = sys.argv[1:]
    run_server(lambda: load_model(Path(model[0]), model[1]) if model else load_nothing(), int(memory))


if __name__ == "__main__":
    main()
