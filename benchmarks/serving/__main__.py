"""Measure `beet resonance serve` under load: many clients at once, and similar beside a bare "hello" and the engine.

    python -m benchmarks.serving [--tracks 12000] [--clients 200] [--seconds 60] [--kept FOLDER]

The mix is 60 % similar (20 hits, a random seed each), 30 % search, 10 % status; each client sends its next request when
it has the answer to the last. Then, in turns: requests per second of similar alone and of a FastAPI application that
answers "hello", by eight clients each, and calls per second of the engine in one process, without HTTP. The clients run
on the same machine, and take their part of its cores.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import ROOT, beets_environment
from benchmarks.serving.clients import choose_kind, run_clients
from benchmarks.synthetic_library import create_library

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.serving.clients import Answers

MIX = {"similar": 0.6, "search": 0.3, "status": 0.1}
WORDS = ("rock", "song 7", "artist 12", "jazz", "album 3", "song 1999", "soul artist 4", "2007")
FEW, SHORT, TURNS = 8, 5.0, 3  # clients, seconds and turns of the comparison
HELLO = """
import sys, uvicorn
from fastapi import FastAPI
app = FastAPI()
@app.get("/hello")
async def hello() -> dict[str, str]:
    return {"hello": "world"}
uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="error")
"""
HELLO_PORT = 18_339


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description="Measure the server under load.")
    parser.add_argument("--tracks", type=int, default=12_000, metavar="N")
    parser.add_argument("--clients", type=int, default=200, metavar="N")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S")
    parser.add_argument("--kept", type=Path, metavar="FOLDER", help="where the synthetic library is kept")
    return parser.parse_args()


@contextmanager
def start_server(home: Path) -> Iterator[tuple[int, int]]:
    """Start `beet resonance serve` and print the time to its first answer; yield its port and id, and end it."""
    start = time.monotonic()
    command = [sys.executable, "-P", "-m", "beets", "resonance", "serve", "--port", "0"]
    environment = {**beets_environment(home), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.search(r":(\d+)/", line)
        if match is None:
            sys.exit(f"the server does not start: {line}")
        port = int(match[1])
        with urllib.request.urlopen(f"http://localhost:{port}/api/similar?id=1") as answer:
            answer.read()
        print(f"start to first answer (similar): {time.monotonic() - start:.2f} s")
        try:
            yield port, process.pid
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


@contextmanager
def start_hello() -> Iterator[int]:
    """Start an application that answers "hello", yield its port, and end it."""
    with subprocess.Popen([sys.executable, "-c", HELLO, str(HELLO_PORT)], cwd=ROOT) as process:
        time.sleep(3)
        try:
            yield HELLO_PORT
        finally:
            process.terminate()


def read_memory(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"VmRSS:\s+(\d+)", status)
    return int(match[1]) / 1024 if match else 0.0


async def watch_memory(pid: int, seconds: float) -> list[float]:
    """Return the memory of a process at ten moments."""
    values = []
    for _ in range(10):
        await asyncio.sleep(seconds / 10)
        values.append(read_memory(pid))
    return values


def measure_load(port: int, pid: int, options: argparse.Namespace) -> None:
    def next_request(choose: random.Random) -> tuple[str, str]:
        kind = choose_kind(choose, MIX)
        if kind == "similar":
            return kind, f"/api/similar?id={choose.randrange(1, options.tracks + 1)}&count=20"
        if kind == "search":
            return kind, f"/api/tracks?text={choose.choice(WORDS).replace(' ', '+')}&offset={choose.randrange(20)}"
        return kind, "/api/status"

    async def run() -> tuple[Answers, list[float]]:
        clients = run_clients(port, options.clients, options.seconds, next_request)
        answers, memory = await asyncio.gather(clients, watch_memory(pid, options.seconds))
        return answers, memory

    answers, memory = asyncio.run(run())
    rate = answers.count / options.seconds
    print(f"{options.clients} clients for {options.seconds:.0f} s: {answers.count:,} answers, {rate:.0f} a second")
    print(f"  errors: {len(answers.errors)} {answers.errors[:3]}")
    for kind in (*MIX, None):
        middle, tail = answers.percentiles(kind)
        print(f"  {kind or 'all'}: p50 {middle:.2f} s, p99 {tail:.2f} s")
    print(f"  memory: {' '.join(f'{value:.0f}' for value in memory)} MB")


def measure_rate(port: int, path: str) -> float:
    """Return the answers per second of a path to a few clients; {} in it is a random number of a track."""
    answers = asyncio.run(
        run_clients(port, FEW, SHORT, lambda choose: ("one", path.format(choose.randrange(1, 10_000))))
    )
    assert not answers.errors, answers.errors[:3]
    return answers.count / SHORT


def measure_engine(home: Path) -> float:
    """Return the calls per second of the engine, in this process."""
    os.environ["BEETSDIR"] = str(home)
    from beets.library import Library

    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.server.library_collection import LibraryCollection
    from resonance_engine.server.collection import ListQuery

    collection = LibraryCollection(Sidecar(Library(str(home / "library.db"), str(home / "music"))))
    choose = random.Random(1)  # noqa: S311 - no secret
    collection.similar(ListQuery((1,)))
    count, start = 0, time.monotonic()
    while time.monotonic() - start < SHORT:
        collection.similar(ListQuery((choose.randrange(1, 10_000),)))
        count += 1
    return count / (time.monotonic() - start)


def main() -> None:
    options = parse_options()
    with tempfile.TemporaryDirectory() as temporary:
        home = create_library(options.kept or Path(temporary), options.tracks)
        with start_server(home) as (port, pid), start_hello() as hello:
            print(f"memory after the first answer: {read_memory(pid):.0f} MB")
            measure_load(port, pid, options)
            rates: dict[str, list[float]] = {"similar": [], "hello": [], "engine alone, one thread": []}
            for _ in range(TURNS):
                rates["similar"].append(measure_rate(port, "/api/similar?id={}&count=20"))
                rates["hello"].append(measure_rate(hello, "/hello"))
                rates["engine alone, one thread"].append(measure_engine(home))
        for name, values in rates.items():
            print(f"{name}: {statistics.median(values):.0f} a second (median of {TURNS})")


if __name__ == "__main__":
    main()
