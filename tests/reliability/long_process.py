"""A process that lives long with the plugin in it, driven by lines on its standard input.

    python -m tests.reliability.long_process

runs each line, a JSON list of words, as a command of beets with one library and one pool of workers that stay, and
answers with a line `done STATUS`.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from beets import config, plugins, ui
from beets.exceptions import UserError

from beetsplug.resonance.config.settings import Settings
from beetsplug.resonance.library.sidecar import Sidecar
from resonance_engine.console import print_line
from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.index.files import open_index
from resonance_engine.worker.worker import WorkerPool
from tests.reliability.footprint import footprint

if TYPE_CHECKING:
    from beets.library import Library
    from beets.ui import Subcommand

# What is no command of beets: the workers hear a folder, the index is opened as a query does.
EMBED, INDEXED = "heard", "index"
ENDING = 10.0  # seconds for a thread without work to end


def run(commands: list[Subcommand], library: Library, pool: WorkerPool, words: list[str]) -> int:
    """One command, as `beet` itself would run it; 1 where it ends with an error."""
    name, *rest = words
    if name == EMBED:
        return embed_folder(pool, Path(rest[0]))
    if name == INDEXED:
        return open_index_of(library)
    command = next(each for each in commands if each.name == name)
    try:
        options, arguments = command.parse_args(rest)
        command.func(library, options, arguments)
        plugins.send("cli_exit", lib=library)
    except UserError as error:
        print_line(f"error: {error}")
        return 1
    return 0


def embed_folder(pool: WorkerPool, folder: Path) -> int:
    """Let the workers that stay hear all files below a folder, and wait until the threads for that have ended.

    They end by themselves; one that the system has yet to remove is none that was left.
    """
    threads = count_threads()
    results = list(pool.analyse(sorted(path for path in folder.rglob("*.*") if path.is_file())))
    deadline = time.monotonic() + ENDING
    while count_threads() > threads and time.monotonic() < deadline:
        time.sleep(0.01)
    return 0 if results else 1


def count_threads() -> int:
    """How many threads the system counts for this process."""
    return footprint(os.getpid()).threads


def open_index_of(library: Library) -> int:
    """Open the index as a query does."""
    with closing(Sidecar(library, Settings.of_sidecar(config["resonance"]))) as sidecar:
        model = sidecar.model
        return 1 if model is None or not len(open_index(sidecar.store, model.id, sidecar.index_folder)) else 0


def main() -> None:
    config.read()
    commands, library = ui._setup()
    with closing(WorkerPool(SHIPPED, 1)) as pool:
        for line in sys.stdin:
            output = io.StringIO()
            with redirect_stdout(output), redirect_stderr(output):
                status = run(commands, library, pool, json.loads(line))
            print_line(f"done {status} {output.getvalue()[-200:]!r}")
            sys.stdout.flush()
    library._close()


if __name__ == "__main__":
    main()
