"""Whatever stands in a file or a setting: it is understood, or refused in one sentence."""

from __future__ import annotations

import io
import json
import os
import time
from typing import TYPE_CHECKING, Any

import confuse
import numpy as np
import pytest
from beets.exceptions import UserError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beetsplug.resonance.config.settings import Settings
from resonance_engine.errors import ConfigError
from resonance_engine.index.files import VectorIndex, load_index, save_index
from resonance_engine.training.data.songs import read_pairs
from resonance_engine.worker.process import TimedPipe
from resonance_engine.worker.protocol import Message, receive, send
from tests.embeddings import stored, unit_vectors
from tests.index_files import change_sections

if TYPE_CHECKING:
    from pathlib import Path

IN_ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
MODEL = "0123456789abcdef"
WIDTH = 8

# What YAML can hold; JSON holds less.
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.dates() | st.binary(max_size=5)
)
YAML = st.recursive(
    SCALARS | st.sampled_from(["import", "background", "no", "default", "genre:x", "12-01..12-31"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5) | st.sampled_from(["query", "except", "count", "weights"]), inner, max_size=3
        )
        | st.dictionaries(st.integers() | st.booleans(), inner, max_size=2)
    ),
    max_leaves=6,
)


def configured(section: Any) -> Settings:
    configuration: Any = confuse.Configuration("beets", read=False)
    configuration.set({"resonance": section})
    configuration["resonance"].add(Settings.defaults())
    return Settings.from_config(configuration["resonance"])


@given(st.dictionaries(st.sampled_from([*Settings.defaults()]), YAML, max_size=3) | YAML)
@settings(max_examples=100)
def test_any_section_is_settings_or_a_mistake_that_is_named(section: Any) -> None:
    try:
        assert isinstance(configured(section), Settings)
    except (UserError, confuse.ConfigError) as error:
        assert str(error)  # noqa: PT017 - one of two outcomes


TEXT = st.text(st.characters(codec=None), max_size=12)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXT
    | st.sampled_from(["a.mp3", "b.mp3", "../b.mp3", "~"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
@settings(IN_ONE_FOLDER, max_examples=60)
def test_any_pairs_are_files_that_are_there_or_a_sentence(tmp_path: Path, content: bytes) -> None:
    for name in ("a.mp3", "b.mp3"):
        (tmp_path / name).touch()
    (tmp_path / "pairs.json").write_bytes(content)
    try:
        pairs = read_pairs(tmp_path / "pairs.json")
    except ConfigError as error:
        said = str(error)  # one of two outcomes
        assert "\n" not in said
        said.encode()
        return
    assert all(len(pair) >= 2 and all(path.is_file() for path in pair) for pair in pairs)


def message(header: object) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(4, "big") + text


SHAPES = st.lists(st.integers(-3, 2**70) | st.floats() | st.text(max_size=3), max_size=3)
HEADERS = st.dictionaries(st.sampled_from(["arrays", "key"]), JSON | st.dictionaries(TEXT, SHAPES | JSON, max_size=2))
CONTENTS = st.binary(max_size=60) | HEADERS.map(message) | st.just(message(b"[" * 100_000))


def through_a_pipe(content: bytes) -> Message:
    reader, writer = os.pipe()
    try:
        os.write(writer, content[:60_000])  # what a pipe takes without a reader
        os.close(writer)
        return receive(TimedPipe(reader, time.monotonic() + 5.0))
    finally:
        os.close(reader)


@given(CONTENTS)
@settings(max_examples=60)
def test_any_answer_of_a_child_is_a_message_or_none(content: bytes) -> None:
    """A decoder that was taken over can say what it likes, and ask for no memory by it."""
    try:
        found = through_a_pipe(content)
    except (ValueError, EOFError):
        return
    assert all(values.dtype == np.float32 for values in found.arrays.values())


def test_an_array_as_large_as_can_be_said_takes_no_memory() -> None:
    with pytest.raises(EOFError):
        through_a_pipe(message({"arrays": {"x": [2**40, 2**20]}}) + bytes(100))


def test_a_message_that_was_sent_comes_through_the_pipe() -> None:
    stream = io.BytesIO()
    send(stream, Message({"key": "00"}, {"x": np.ones((2, 3), np.float32)}))
    assert through_a_pipe(stream.getvalue()).arrays["x"].shape == (2, 3)


def index_vectors() -> Any:
    return stored(unit_vectors(6, WIDTH))


def index_file(path: Path) -> bytes:
    save_index(path, VectorIndex(np.arange(1, 7), index_vectors()), MODEL, 3)
    return path.read_bytes()


@given(st.data())
@settings(IN_ONE_FOLDER, max_examples=60)
def test_a_damaged_index_is_none_at_all(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "x.index"
    whole = index_file(path)
    begin = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(begin, min(begin + 40, len(whole))))
    damaged = whole[:begin] + data.draw(st.binary(max_size=9)) + whole[end:]
    path.write_bytes(damaged)
    found = load_index(path, MODEL)
    if found is not None:
        # Nothing but what fills pages up can have been changed.
        assert found[1] == 3
        assert found[0].ids.tolist() == [1, 2, 3, 4, 5, 6]
        np.testing.assert_array_equal(found[0].vectors(found[0].ids), index_vectors())


@given(st.data())
@settings(IN_ONE_FOLDER, max_examples=60)
def test_an_index_whose_checksum_was_forged_is_refused_or_can_be_searched(tmp_path: Path, data: st.DataObject) -> None:
    """Nothing is read beyond the memory of such a file."""
    path = tmp_path / "x.index"
    index_file(path)

    def forge(sections: dict[str, bytearray]) -> None:
        for _ in range(data.draw(st.integers(1, 4))):
            content = sections[data.draw(st.sampled_from(sorted(sections)))]
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

    change_sections(path, forge)
    found = load_index(path, MODEL)
    if found is None:
        return
    assert (found[0].dimensions, len(found[0])) == (WIDTH, 6)
    if np.isfinite(found[0].vectors(found[0].ids)).all():  # else what is stored is to blame
        scores, ids = found[0].nearest(np.eye(1, found[0].dimensions, dtype=np.float32), 3)
        assert scores.shape == ids.shape == (1, 3)
