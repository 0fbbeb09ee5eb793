"""The child's side of `worker`: decodes, measures and embeds one file after another.

    python -m resonance_engine.worker.server MODEL BACKEND MEMORY     (speaks `wire` on its standard streams)

It first sends a description of its model. A request has a `verb`, a `path` (hex) and `options` of the verb; to each it
answers twice: that it has begun, and what came of it. A file that needs more than MEMORY bytes is its last one.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from resonance_engine.errors import AudioError, ResonanceError
from resonance_engine.worker.memory_limit import limit_memory, out_of_memory
from resonance_engine.worker.protocol import Message, receive, send

if TYPE_CHECKING:
    from collections.abc import Callable

    Verbs = dict[str, Callable[..., Message]]


PARENT_SECONDS = 1.0  # between two looks whether the parent is still there


def serve(
    prepared: Callable[[], tuple[Message, Verbs]], requests: IO[bytes], answers: IO[bytes], memory: int | None = None
) -> None:
    """Make ready and say for what, then answer until nobody asks; raises BrokenPipeError when nobody listens.

    `memory` is in bytes and limits what comes once all is ready. Whoever ran out of it answers for the last time: what
    libraries leave behind then is not to be relied on.
    """
    try:
        introduction, verbs = prepared()
    except ResonanceError as error:
        send(answers, Message({"unusable": str(error)}))
        return
    except ImportError as error:
        send(answers, Message({"unusable": f"A library does not load ({error}); install beets-resonance again."}))
        return
    send(answers, introduction)
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
            spent = out_of_memory(error) or out_of_memory(error.__cause__)
            if spent:
                limit_memory(None)  # to say so takes some, too
            send(answers, Message({"reason": reason(error, memory), "spent": spent}))


def reason(error: Exception, memory: int | None) -> str:
    """Why a file is given up that provoked this error, where it may need so many bytes."""
    if isinstance(error, AudioError):
        return error.reason
    if not out_of_memory(error):
        return f"it could not be analysed ({' '.join(f'{type(error).__name__}: {error}'.split())})"
    if memory is None:
        return "it needs more memory than there is"
    return f"it needs more memory than a worker may use for one file ({memory / 1e9:.3g} GB)"


def identify(path: Path) -> Message:
    from resonance_engine.audio.windows import content_key

    return Message({"key": content_key(path).hex()})


def embedding(model: Path, backend: str) -> tuple[Message, Verbs]:
    """A description of the model, once it is loaded, and what can be asked of a file."""
    from resonance_engine.audio.passage import Passage
    from resonance_engine.audio.windows import read_passage, read_windows
    from resonance_engine.encoder.encoder import Encoder
    from resonance_engine.features.attributes import EXTRACTOR_VERSION, analysis
    from resonance_engine.features.front_end import FrontEnd

    encoder = Encoder(model, backend)
    manifest = encoder.manifest
    front_end = FrontEnd(manifest.spec)
    described: dict[str, Any] = {"id": manifest.id, "name": manifest.name, "version": manifest.version}
    described |= {"dimensions": manifest.dimensions, "modalities": manifest.modalities, "tags": manifest.tags}
    introduction = Message(described)

    def embed(path: Path, passage: tuple[float, float] | None = None) -> Message:
        decoding = manifest.spec.decoding
        recording = read_passage(path, decoding, Passage(*passage)) if passage else read_windows(path, decoding)
        features = front_end(recording.windows)
        heard = encoder.embed(features)
        arrays = {"embedding": heard.embedding, "windows": heard.windows}
        arrays |= {f"facet:{name}": vector for name, vector in heard.facets.items()}
        measured = analysis(manifest.spec, recording.windows, features).to_dict()
        attributes = {**measured, "duration": recording.duration, "short": recording.short}
        header = {"starts": recording.starts, "gates": heard.gates, "tags": heard.tags, "attributes": attributes}
        return Message({**header, "extractor": str(EXTRACTOR_VERSION)}, arrays)

    return introduction, {"identify": identify, "embed": embed}


def answer(prepared: Callable[[], tuple[Message, Verbs]], memory: int | None = None) -> None:
    """Serve on the standard streams, as a child of `worker`, and end with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    threading.Thread(target=end_after, args=(os.getppid(),), daemon=True).start()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing else may write between the messages
    with suppress(BrokenPipeError):  # the parent is gone
        serve(prepared, sys.stdin.buffer, answers, memory)


def end_after(parent: int) -> None:
    """End this process soon after its parent: one that was killed does so no more, and a file may hang here.

    Not by PR_SET_PDEATHSIG, which would end it with the thread of the parent that started it.
    """
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os._exit(1)


def main() -> None:
    answer(lambda: embedding(Path(sys.argv[1]), sys.argv[2]), int(sys.argv[3]))


if __name__ == "__main__":
    main()
