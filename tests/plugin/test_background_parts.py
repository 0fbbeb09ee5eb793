"""What the background is made of: hours, pace, the lock, and the words about it."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from datetime import datetime, time
from typing import TYPE_CHECKING

import pytest
from beets.exceptions import UserError
from hypothesis import given
from hypothesis import strategies as st

from beetsplug.resonance.background.job_state import BackgroundTask, JobProgress, JobRequests, parse_row
from beetsplug.resonance.background.monitor import find_obstacle, rest_seconds
from beetsplug.resonance.background.process_lock import BACKGROUND, FOREGROUND, Holder, ProcessLock, lock_file
from beetsplug.resonance.commands.status import describe_background
from beetsplug.resonance.config.settings import DAY_MINUTES, Hours, Settings
from resonance_engine.errors import StoreError
from tests.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

HOLDS = f"""
import pathlib, sys
sys.path.insert(0, {str(ROOT)!r})
from beetsplug.resonance.background.process_lock import BACKGROUND, ProcessLock
lock = ProcessLock(pathlib.Path(sys.argv[1]))
print(lock.acquire(BACKGROUND, 0), flush=True)
sys.stdin.read()
"""
minutes = st.integers(0, DAY_MINUTES - 1)
spans = st.tuples(minutes, minutes).filter(lambda span: span[0] != span[1])


def clock(minute: int) -> time:
    return time(minute // 60, minute % 60)


def text(span: tuple[int, int]) -> str:
    return f"{clock(span[0]):%H:%M}-{clock(span[1]):%H:%M}"


@given(st.lists(spans, min_size=1, max_size=3))
def test_hours_are_the_minutes_that_pass_from_each_beginning_to_its_end(given: list[tuple[int, int]]) -> None:
    hours = Hours.parse(", ".join(map(text, given)))
    inside = {
        (first + passed) % DAY_MINUTES for first, end in given for passed in range((end - first) % DAY_MINUTES)
    }  # walked, minute by minute
    assert {minute for minute in range(DAY_MINUTES) if clock(minute) in hours} == inside


@given(st.lists(spans, min_size=1, max_size=3), minutes)
def test_the_next_opening_is_the_first_minute_inside(given: list[tuple[int, int]], minute: int) -> None:
    hours = Hours.parse(",".join(map(text, given)))
    if clock(minute) in hours:
        return
    later = (each % DAY_MINUTES for each in range(minute, minute + DAY_MINUTES))
    walked = next(each for each in later if clock(each) in hours)
    assert hours.next_start(clock(minute)) == f"{clock(walked):%H:%M}"


def test_the_end_of_the_hours_is_no_part_of_them() -> None:
    night = Hours.parse("22:00-07:00")
    assert all(time(*each) in night for each in ((22, 0), (0, 0), (6, 59)))
    assert not any(time(*each) in night for each in ((21, 59), (7, 0), (12, 0)))
    assert time(23, 59, 59) in Hours.parse("8:00-24:00")


@pytest.mark.parametrize("given", ["", "  "])
def test_no_hours_are_all_hours(given: str) -> None:
    assert time(12) in Hours.parse(given)


@pytest.mark.parametrize(
    "given", ["22", "22:00", "22:00-", "24:00-07:00", "22:60-07:00", "22:00-24:01", "22:00-22:00", "22:00-07:00,", "x"]
)
def test_hours_that_are_none(given: str) -> None:
    with pytest.raises(UserError, match="must be like 22:00-07:00, several with commas between, not '"):
        Hours.parse(given)


@given(st.floats(0, 1e6), st.integers(10, 100))
def test_the_pace_is_the_share_of_work_in_the_time(worked: float, pace: int) -> None:
    assert worked * 100 == pytest.approx((worked + rest_seconds(worked, pace)) * pace)


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    one, other = ProcessLock(tmp_path / "lock"), ProcessLock(tmp_path / "lock")
    assert one.holder() is None
    assert not (tmp_path / "lock").exists()
    assert one.acquire(BACKGROUND, 0)
    assert not other.acquire(FOREGROUND, 0)
    holder = other.holder()
    assert holder is not None
    assert holder.kind == BACKGROUND
    one.release()
    assert other.holder() is None
    assert other.acquire(FOREGROUND, 0)
    assert one.holder() == (holder.pid, FOREGROUND)
    other.release()
    other.release()


def test_a_free_lock_is_free_while_another_process_looks_at_it(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path / "lock")
    assert lock.acquire(BACKGROUND, 0)
    lock.release()
    with (tmp_path / "lock").open("rb") as looking:
        assert lock_file(looking.fileno(), fcntl.LOCK_SH)
        assert lock.holder() is None


def test_a_lock_that_was_just_taken_has_no_process_yet(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path / "lock", write=lambda *_: 0)
    assert lock.acquire(BACKGROUND, 0)
    holder = ProcessLock(tmp_path / "lock").holder()
    lock.release()
    assert holder == Holder(0, FOREGROUND)
    assert f"an analysis{holder}" == "an analysis"
    assert f"an analysis{Holder(7, FOREGROUND)}" == "an analysis (pid 7)"


def test_a_lock_falls_to_others_when_its_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert ProcessLock(path).holder() == Holder(process.pid, BACKGROUND)
        assert not ProcessLock(path).acquire(FOREGROUND, 0.1)
        process.kill()
        process.wait()
    lock = ProcessLock(path)
    assert lock.acquire(FOREGROUND, 0)
    lock.release()


def test_a_lock_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"/nowhere/lock cannot be opened: No such file or directory\.$"):
        ProcessLock(tmp_path / "nowhere" / "lock").acquire(BACKGROUND, 0)
    assert ProcessLock(tmp_path).holder() is None, "a folder is a file that cannot be written to, which nobody can have"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_lock_that_cannot_be_written_is_a_sentence_and_is_free(tmp_path: Path, code: int) -> None:
    def write(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    with pytest.raises(StoreError, match=rf"/lock cannot be written: {os.strerror(code)}\.$"):
        ProcessLock(tmp_path / "lock", write=write).acquire(BACKGROUND, 0)
    lock = ProcessLock(tmp_path / "lock")
    assert lock.acquire(FOREGROUND, 0)
    lock.release()


def test_a_task_survives_the_command_line() -> None:
    task = BackgroundTask(
        "/music/li\udcffbrary.db", "/mu\nsic", Settings("background", "/m/x.onnx", 2, 7.5, hours="1:00-2:00")
    )
    assert task.to_json().isascii()
    assert BackgroundTask.from_json(task.to_json()) == task


@pytest.mark.parametrize(
    ("orders", "moment", "why"),
    [
        (JobRequests(1), "23:00", ""),
        (JobRequests(1), "21:59", "waiting for 22:00"),
        (JobRequests(1, paused=True), "23:00", "paused"),
        (JobRequests(1, paused=True), "12:00", "paused"),
        (JobRequests(1, leaves=1, paused=True), "23:00", "leaving"),
    ],
)
def test_what_hinders_the_work(orders: JobRequests, moment: str, why: str) -> None:
    now = datetime.fromisoformat(f"2026-03-01T{moment}")
    assert find_obstacle(orders, 0, Hours.parse("22:00-07:00"), now) == why


def test_rows_that_another_version_wrote_are_read_as_far_as_they_are_known() -> None:
    assert parse_row(JobRequests, {"requested": 3, "colour": "red"}) == {"requested": 3}
    assert parse_row(JobRequests, None) == {}
    assert parse_row(JobRequests, {"requested": "3", "paused": None, "asked": 1.5, "served": 2}) == {
        "requested_at": 1.5,
        "served": 2,
    }
    assert parse_row(JobProgress, {"said": "it broke", "doing": "paused"}) == {
        "message": "it broke",
        "activity": "paused",
    }
    assert parse_row(JobProgress, {"pid": 7, "ended": None, "said": 3}) == {"pid": 7, "ended": None}


AT = datetime(2026, 3, 1, 4, 0).timestamp()
DEAD = "did not start; `beet resonance analyze` goes on"
RUNNER = Holder(7, BACKGROUND)


@pytest.mark.parametrize(
    ("orders", "report", "holder", "said"),
    [
        (JobRequests(), None, None, ""),
        (JobRequests(1, requested_at=AT - 2), None, None, "starting"),
        (JobRequests(1, requested_at=AT - 99), None, None, DEAD),
        (
            JobRequests(2, 1, requested_at=AT - 99),
            JobProgress(7, AT - 900, 4, 4, ended=AT - 800),
            None,
            DEAD,
        ),
        (JobRequests(1, requested_at=AT), JobProgress(6, AT - 900, ended=AT - 800), RUNNER, "starting"),
        (JobRequests(1), JobProgress(7, AT), RUNNER, "working since 2026-03-01 04:00 (pid 7)"),
        (
            JobRequests(1),
            JobProgress(7, AT, 4, 9),
            RUNNER,
            "working; 4 of 9 tracks since 2026-03-01 04:00, about 3 min left (pid 7)",
        ),
        (
            JobRequests(1),
            JobProgress(7, AT, 4, 9, "waiting for 22:00"),
            RUNNER,
            "waiting for 22:00; 4 of 9 tracks since 2026-03-01 04:00 (pid 7)",
        ),
        (
            JobRequests(1, paused=True),
            JobProgress(7, AT, 4, 9),
            RUNNER,
            "paused at 4 of 9 tracks (pid 7); `beet resonance resume` goes on",
        ),
        (JobRequests(1, paused=True), None, None, "paused; `beet resonance resume` goes on"),
        (JobRequests(1, 1, paused=True), None, None, "paused for new imports; `beet resonance resume` ends that"),
        (JobRequests(1), JobProgress(7, AT), Holder(9, FOREGROUND), "`beet resonance` itself is analysing (pid 9)"),
        (
            JobRequests(1),
            JobProgress(7, AT, 4, 9),
            None,
            "ended before it was done, at 4 of 9 tracks; `beet resonance analyze` goes on",
        ),
        (JobRequests(1, 1), JobProgress(7, AT, 9, 9, ended=AT), None, "ended 2026-03-01 04:00, 9 tracks done"),
        (
            JobRequests(1, 1),
            JobProgress(7, AT, 9, 9, ended=AT, message="it broke"),
            None,
            "ended 2026-03-01 04:00, it broke",
        ),
    ],
)
def test_what_status_says(orders: JobRequests, report: JobProgress | None, holder: Holder | None, said: str) -> None:
    assert describe_background(orders, report, holder, AT, "3 min") == said
