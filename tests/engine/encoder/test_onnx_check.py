"""A model that names other files is refused before anything reads them, wherever in it the name stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.encoder import backends
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.encoder.onnx_check import is_self_contained
from resonance_engine.errors import ModelError
from tests.tiny_models import onnx_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Model = Any


def outside(location: str) -> Any:
    """A tensor whose four numbers are in another file."""
    onnx = pytest.importorskip("onnx")
    tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[4])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def constant(tensor: Any) -> Any:
    onnx = pytest.importorskip("onnx")
    node = onnx.NodeProto(op_type="Constant", output=["w"])
    node.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(tensor)
    return node


def within(graph: Any, tensor: Any) -> None:
    """In the branch of an If."""
    attribute = graph.node.add(op_type="If").attribute.add(name="then_branch")
    attribute.graphs.add().node.append(constant(tensor))


def sparse(graph: Any, tensor: Any) -> None:
    graph.sparse_initializer.add().indices.CopyFrom(tensor)


PLACES: dict[str, Callable[[Model, Any], object]] = {
    "a weight": lambda model, tensor: model.graph.initializer.append(tensor),
    "a sparse weight": lambda model, tensor: sparse(model.graph, tensor),
    "an attribute": lambda model, tensor: model.graph.node.append(constant(tensor)),
    "one of several": lambda model, tensor: model.graph.node.add().attribute.add().tensors.append(tensor),
    "a sparse attribute": lambda model, tensor: (
        model.graph.node.add().attribute.add().sparse_tensor.values.CopyFrom(tensor)
    ),
    "a branch": lambda model, tensor: within(model.graph, tensor),
    "a function": lambda model, tensor: model.functions.add().node.append(constant(tensor)),
    "the default of one": lambda model, tensor: model.functions.add().attribute_proto.add().t.CopyFrom(tensor),
    "a training": lambda model, tensor: model.training_info.add().algorithm.initializer.append(tensor),
}


def with_outside(place: str, location: str) -> bytes:
    onnx = pytest.importorskip("onnx")
    model = onnx.ModelProto.FromString(onnx_model())
    PLACES[place](model, outside(location))
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize("place", PLACES)
def test_a_tensor_that_is_elsewhere_is_found_wherever_it_is_named(place: str) -> None:
    assert is_self_contained(onnx_model())
    assert not is_self_contained(with_outside(place, "secret.bin"))


def test_parts_of_one_message_are_taken_together() -> None:
    """As protobuf has it: a field that is there twice is merged."""
    onnx = pytest.importorskip("onnx")
    extra = onnx.ModelProto()
    extra.graph.initializer.append(outside("secret.bin"))
    assert not is_self_contained(onnx_model() + extra.SerializeToString())


@pytest.mark.parametrize("place", ["a weight", "an attribute"])
@pytest.mark.parametrize("location", ["secret.bin", "../secret.bin", "{folder}/secret.bin", "link.bin", "/etc/passwd"])
def test_another_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, location: str) -> None:
    """Not even where the runtime would: from the working directory, by 1.32, and from anywhere, by 1.20."""
    folder = tmp_path / "model"
    folder.mkdir()
    for target in (tmp_path / "secret.bin", folder / "secret.bin"):
        np.ones(4, np.float32).tofile(target)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "model.onnx").write_bytes(with_outside(place, location.format(folder=tmp_path)))
    monkeypatch.chdir(folder)
    monkeypatch.setattr("onnxruntime.InferenceSession", None)  # it is not even asked
    with pytest.raises(ModelError, match="wants to read numbers from another file, which a model may not"):
        Encoder(folder / "model.onnx")


@pytest.mark.parametrize("model", [SHIPPED, SHIPPED.parent.with_name("default-int8") / "model.onnx"])
def test_the_shipped_models_have_all_in_them(model: Path) -> None:
    assert is_self_contained(model.read_bytes())


@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from([b"\x3a", b"\x0a", b"\x2a", b"\x05", b"\xff", b"\0"])).map(b"".join)
)
def test_any_bytes_are_looked_through(content: bytes) -> None:
    try:
        assert is_self_contained(content) in (True, False)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - one of two outcomes


def test_a_file_too_large_for_the_format_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "LARGEST", 1000)
    (tmp_path / "model.onnx").write_bytes(bytes(1001))
    with pytest.raises(ModelError, match="is not a model that onnxruntime can run"):
        Encoder(tmp_path / "model.onnx")
