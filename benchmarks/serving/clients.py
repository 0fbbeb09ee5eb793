"""Clients of an HTTP server: each sends the next request of its own when it has the answer to the last."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HEAD_END = b"\r\n\r\n"
PERCENTILES = (50, 99)


@dataclass
class Answers:
    """Times of answers in seconds, by kind of request, and what was no 200."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def record(self, kind: str, seconds: float, status: str) -> None:
        self.seconds.setdefault(kind, []).append(seconds)
        if status != "200":
            self.errors.append(f"{kind}: {status}")

    @property
    def count(self) -> int:
        return sum(map(len, self.seconds.values()))

    def percentiles(self, kind: str | None = None) -> list[float]:
        """Return the 50th and 99th percentile of the seconds of a kind, or of all."""
        kinds = self.seconds if kind is None else (kind,)
        values = [each for name in kinds for each in self.seconds[name]]
        return [float(each) for each in np.percentile(values, PERCENTILES)]


async def request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> str:
    """Send a request on an open connection and return the status of the answer, whose body is read."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = (await reader.readuntil(HEAD_END)).decode("latin-1").lower()
    length = next(int(line.partition(":")[2]) for line in head.split("\r\n") if line.startswith("content-length:"))
    await reader.readexactly(length)
    return head.split(" ", 2)[1]


async def run_client(
    port: int, seed: int, until: float, answers: Answers, next_request: Callable[[random.Random], tuple[str, str]]
) -> None:
    """Send requests, one after another on one connection, until a moment of the monotonic clock."""
    choose = random.Random(seed)  # noqa: S311 - no secret
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while time.monotonic() < until:
            kind, path = next_request(choose)
            start = time.monotonic()
            try:
                status = await request(reader, writer, path)
            except (OSError, asyncio.IncompleteReadError) as error:
                answers.record(kind, time.monotonic() - start, type(error).__name__)
                return
            answers.record(kind, time.monotonic() - start, status)
    finally:
        writer.close()


async def run_clients(
    port: int, count: int, seconds: float, next_request: Callable[[random.Random], tuple[str, str]]
) -> Answers:
    """Let so many clients send requests at the same time."""
    answers, until = Answers(), time.monotonic() + seconds
    await asyncio.gather(*(run_client(port, seed, until, answers, next_request) for seed in range(count)))
    return answers


def choose_kind(choose: random.Random, shares: Mapping[str, float]) -> str:
    """Draw a kind of request by its share."""
    return choose.choices(list(shares), list(shares.values()))[0]
