"""Messages arrive as they were sent, or not at all."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from resonance_engine.worker.protocol import Arrays, Message, receive, send

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
HEADERS = st.dictionaries(st.text().filter(lambda key: key != "arrays"), JSON, max_size=4)
ARRAYS = st.dictionaries(st.text(), arrays(np.float32, array_shapes(min_dims=0, min_side=0, max_side=4)), max_size=3)


def packed(message: Message) -> bytes:
    stream = io.BytesIO()
    send(stream, message)
    return stream.getvalue()


@given(st.lists(st.tuples(HEADERS, ARRAYS), min_size=1, max_size=3))
def test_messages_arrive_in_order_as_they_were(messages: list[tuple[dict[str, Any], Arrays]]) -> None:
    stream = io.BytesIO(b"".join(packed(Message(header, arrays)) for header, arrays in messages))
    for header, sent in messages:
        found = receive(stream)
        assert found.header == header
        assert found.arrays.keys() == sent.keys()
        for name, values in sent.items():
            assert found.arrays[name].dtype == np.float32
            np.testing.assert_array_equal(found.arrays[name], values)
    with pytest.raises(EOFError):
        receive(stream)


def test_what_is_received_can_be_changed() -> None:
    found = receive(io.BytesIO(packed(Message({}, {"vector": np.ones(3, np.float32)}))))
    found.arrays["vector"][0] = 2.0


def test_a_message_that_breaks_off_anywhere_is_the_end() -> None:
    whole = packed(Message({"key": "00"}, {"vector": np.arange(3, dtype=np.float32)}))
    for length in range(len(whole)):
        with pytest.raises(EOFError):
            receive(io.BytesIO(whole[:length]))


def framed(header: bytes) -> bytes:
    return len(header).to_bytes(4, "big") + header


@pytest.mark.parametrize(
    "content",
    [
        b"Traceback (most recent call last)",
        framed(b"no JSON"),
        framed(b"\xff"),
        framed(b"[]"),
        framed(b"{}"),
        framed(json.dumps({"arrays": {"x": "shape"}}).encode()),
        framed(json.dumps({"arrays": None}).encode()),
    ],
)
def test_what_is_no_message_is_told_apart_from_the_end(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever makes it none
        receive(io.BytesIO(content))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes"])
def test_what_json_has_no_word_for_is_refused_before_anything_is_written(value: object) -> None:
    stream = io.BytesIO()
    with pytest.raises((ValueError, TypeError)):
        send(stream, Message({"tempo": value}))
    assert not stream.getvalue()
