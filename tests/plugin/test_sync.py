"""What has to be done, from what the library holds and what the store knows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beetsplug.resonance.library.sidecar import ItemRow
from beetsplug.resonance.library.sync import make_plan
from resonance_engine.ingest import Job
from resonance_engine.store import Failure, TrackRow

SOUND, OTHER = b"s" * 16, b"o" * 16
STATE = (1000, 5)
ITEM = ItemRow(1, 2.5, b"/music/a.mp3")
TRACK = TrackRow(1, 2.5, *STATE, SOUND)
JOB = Job(1, 2.5, Path("/music/a.mp3"))
FAILED = Failure(b"/music/a.mp3", *STATE, "it holds no audio", 1, 0.0)


@pytest.mark.parametrize(
    ("track", "failure", "state", "listened", "analysed"),
    [
        pytest.param(None, None, STATE, True, 0, id="new"),
        pytest.param(TRACK, None, STATE, False, 1, id="known"),
        pytest.param(TrackRow(1, 9.0, *STATE, SOUND), None, STATE, True, 0, id="id given again"),
        pytest.param(TRACK, None, (1001, 5), True, 0, id="size changed"),
        pytest.param(TRACK, None, (1000, 6), True, 0, id="time changed"),
        pytest.param(TrackRow(1, 2.5, *STATE, OTHER), None, STATE, True, 0, id="no vector by this model"),
        pytest.param(None, FAILED, STATE, False, 0, id="failed before"),
        pytest.param(None, FAILED, (1001, 5), True, 0, id="failed before and changed"),
        pytest.param(TRACK, FAILED, STATE, False, 1, id="failed once, analysed since"),
        pytest.param(TRACK, None, None, False, 0, id="file missing"),
        pytest.param(None, None, None, False, 0, id="new and missing"),
    ],
)
def test_one_track(
    track: TrackRow | None, failure: Failure | None, state: tuple[int, int] | None, listened: bool, analysed: int
) -> None:
    tracks = {} if track is None else {1: track}
    failures = {} if failure is None else {failure.path: failure}
    made = make_plan([ITEM], tracks, {SOUND}, failures, lambda _: state)
    assert made.jobs == ([JOB] if listened else [])
    assert made.analysed == analysed
    assert made.missing == (state is None)
    assert made.gone == []


@pytest.mark.parametrize("changed", [False, True])
def test_a_file_that_changed_and_failed_is_no_longer_what_it_was(changed: bool) -> None:
    """An analysis that is stopped right after it noted the failure leaves the track linked."""
    track = TrackRow(1, 2.5, 999 if changed else STATE[0], STATE[1], OTHER)
    made = make_plan([ITEM], {1: track}, {SOUND}, {FAILED.path: FAILED}, lambda _: STATE)
    assert made.failed == [FAILED]
    assert made.outdated == ((1,) if changed else ())


def test_what_left_the_library() -> None:
    tracks = {item_id: TrackRow(item_id, 2.5, *STATE, SOUND) for item_id in (7, 1, 3)}
    failures = {path: Failure(path, *STATE, "", 1, 0.0) for path in (b"/music/z.mp3", b"/music/a.mp3")}
    made = make_plan([ITEM], tracks, {SOUND}, failures, lambda _: STATE)
    assert made.gone == [3, 7]
    assert made.stale == [b"/music/z.mp3"]


def test_a_path_that_is_not_text_comes_back_from_the_job() -> None:
    made = make_plan([ITEM._replace(path=b"/caf\xe9 \xff.flac")], {}, set(), {}, lambda _: STATE)
    assert bytes(made.jobs[0].path) == b"/caf\xe9 \xff.flac"


IDS = st.integers(1, 6)
TIMES = st.sampled_from([1.0, 2.0])
STATES = st.tuples(st.integers(1, 2), st.integers(1, 2))
TRACKS = st.dictionaries(IDS, st.tuples(TIMES, STATES, st.sampled_from([SOUND, OTHER])))


@given(items=st.dictionaries(IDS, TIMES), tracks=TRACKS, files=st.dictionaries(IDS, STATES))
def test_doing_what_is_planned_leaves_nothing_to_do(
    items: dict[int, float],
    tracks: dict[int, tuple[float, tuple[int, int], bytes]],
    files: dict[int, tuple[int, int]],
) -> None:
    rows = [ItemRow(item_id, added, str(item_id).encode()) for item_id, added in items.items()]
    known = {item_id: TrackRow(item_id, added, *state, key) for item_id, (added, state, key) in tracks.items()}

    def stat(path: bytes) -> tuple[int, int] | None:
        return files.get(int(path))

    made = make_plan(rows, known, {SOUND}, {}, stat)
    assert made.analysed + len(made.jobs) + made.missing == made.total == len(items)
    for job in made.jobs:
        known[job.item_id] = TrackRow(job.item_id, job.added, *files[job.item_id], SOUND)
    for item_id in made.gone:
        del known[item_id]
    again = make_plan(rows, known, {SOUND}, {}, stat)
    assert not again.jobs
    assert not again.gone
