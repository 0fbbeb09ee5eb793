"""Metadata written by hand are what the packages onnx and onnxruntime read."""

from __future__ import annotations

import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.encoder.onnx_metadata import add_metadata, strip_metadata
from tests.onnx_networks import network

onnx = pytest.importorskip("onnx")

CONTENT = network()


def metadata_of(content: bytes) -> dict[str, str]:
    """Read by onnxruntime, which runs the model too."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found: dict[str, str] = session.get_modelmeta().custom_metadata_map
    return found


def with_entries(*entries: tuple[str, str]) -> bytes:
    """A file with entries as the package onnx writes them, before its other fields' last one."""
    model = onnx.load_from_string(CONTENT)
    for key, value in entries:
        model.metadata_props.add(key=key, value=value)
    content: bytes = model.SerializeToString()
    return content


def test_onnxruntime_reads_an_added_entry() -> None:
    added = add_metadata(CONTENT, "resonance", '{"text": "ä 🎵"}')
    assert metadata_of(added) == {"resonance": '{"text": "ä 🎵"}'}
    assert added.startswith(CONTENT)


@given(st.text(max_size=300), st.text(max_size=40000))
def test_the_package_onnx_reads_any_text(key: str, value: str) -> None:
    entries = [
        (each.key, each.value) for each in onnx.load_from_string(add_metadata(CONTENT, key, value)).metadata_props
    ]
    assert entries == [(key, value)]


def test_entries_of_that_key_are_replaced_and_others_stay() -> None:
    content = with_entries(("resonance", "old"), ("author", "me"), ("resonance", "older"), ("", "no key"))
    added = add_metadata(content, "resonance", "new")
    assert metadata_of(added) == {"author": "me", "": "no key", "resonance": "new"}
    assert [each.key for each in onnx.load_from_string(added).metadata_props] == ["author", "", "resonance"]
    assert b"old" not in added


def test_what_is_left_is_the_same_wherever_the_entry_was() -> None:
    bare = b"".join(strip_metadata(CONTENT, "resonance"))
    assert bare == CONTENT
    once = add_metadata(CONTENT, "resonance", "one")
    assert b"".join(strip_metadata(once, "resonance")) == CONTENT
    assert add_metadata(once, "resonance", "one") == once
    front = once[len(CONTENT) :] + CONTENT
    assert b"".join(strip_metadata(front, "resonance")) == CONTENT


def test_the_model_is_the_same_model() -> None:
    model = onnx.load_from_string(add_metadata(CONTENT, "resonance", "new"))
    del model.metadata_props[:]
    assert model == onnx.load_from_string(CONTENT)


@pytest.mark.parametrize("content", [b"\x0b", b"\xff" * 20, CONTENT[:-3], b"\x72\x7f"], ids=range(4))
def test_what_is_no_onnx_file(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"a (field|number)"):
        add_metadata(content, "resonance", "new")
