"""A network is tried in a child process before it is taken: NaN, chance, constants, too much memory, too much time."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.encoder.onnx_metadata import add_metadata
from resonance_engine.errors import AudioError, ModelError
from resonance_engine.features.spec import Decoding
from resonance_engine.worker.trial import make_signals
from resonance_engine.worker.worker import Worker
from tests.audio_files import tune, write_audio
from tests.engine.encoder.test_network_backend import DECODING, TINY, write
from tests.onnx_networks import MELS, PATCH, WIDTH, network

if TYPE_CHECKING:
    from pathlib import Path

onnx = pytest.importorskip("onnx")


def reason(path: Path, **options: float) -> str:
    with closing(Worker(path, **options)) as worker, pytest.raises(ModelError) as caught:  # type: ignore[arg-type]  # the options of a test
        worker.try_model()
    return str(caught.value)


def repeating(times: int) -> bytes:
    """A network that repeats its input so many times before it takes the mean."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    numbers = [("times", [times, 1, 1], np.int64), ("places", [0, 1], np.int64), ("one", [0], np.int64)]
    nodes = [
        helper.make_node("Tile", ["audio", "times"], ["many"]),
        helper.make_node("ReduceMean", ["many", "places"], ["mean"], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "one"], ["embeddings"]),
    ]
    graph = helper.make_graph(
        nodes,
        "large",
        [helper.make_tensor_value_info("audio", kind, [1, PATCH, MELS])],
        [helper.make_tensor_value_info("embeddings", kind, [1, MELS])],
        [onnx.numpy_helper.from_array(np.array(values, dtype), name) for name, values, dtype in numbers],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    content: bytes = model.SerializeToString()
    return content


def test_a_network_that_works(tmp_path: Path) -> None:
    with closing(Worker(write(tmp_path, network()))) as worker:
        described = worker.description()
        assert (described.name, described.dimensions, described.modalities) == ("tiny-network", WIDTH, ("semantic",))
        assert 0 < worker.try_model() < 30


def test_the_shipped_model_works() -> None:
    with closing(Worker(SHIPPED)) as worker:
        assert 0 < worker.try_model() < 30


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            network(gain=np.nan),
            "On the test signal 'noise', the network tiny-network gives numbers that are not finite.",
        ),
        (network(gain=0), "On the test signal 'noise', the network tiny-network gives nothing but zeros."),
        (network(noise=True), "It gives other numbers for the same sound each time; export it for inference, without"),
        (
            network(constant=True),
            "It gives the same numbers for noise, a chord, near silence; look at input and output",
        ),
    ],
    ids=["NaN", "zeros", "chance", "constant"],
)
def test_a_network_that_is_of_no_use(tmp_path: Path, content: bytes, sentence: str) -> None:
    assert reason(write(tmp_path, content)).startswith(sentence)


def test_a_network_that_takes_too_much(tmp_path: Path) -> None:
    path = write(tmp_path, repeating(1_000_000))
    assert reason(path, memory=500_000_000) == (
        f"{path} cannot be used; on a test track, it needs more memory than a worker may use for one file (0.5 GB)."
    )
    assert reason(write(tmp_path, network()), timeout=0.001) == (
        f"{path} cannot be used; on a test track, it took longer than 0.001 s and was given up."
    )


def test_numbers_in_another_file_are_not_read(tmp_path: Path) -> None:
    model = onnx.load_from_string(network())
    (tmp_path / "numbers").write_bytes(model.graph.initializer[0].raw_data)
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "numbers")
    model.graph.initializer[0].ClearField("raw_data")
    path = write(tmp_path, model.SerializeToString())
    assert reason(path).startswith(f"{path} wants to read numbers from another file, which a model may not")


def test_a_file_on_which_a_network_fails_costs_that_file(tmp_path: Path) -> None:
    """NaN for one track is a failure with its reason, and the next track is embedded."""
    helper = onnx.helper
    model = onnx.load_from_string(network())
    # The root of what loud tracks make negative.
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(1.8, np.float32), "loud"))
    (node,) = (each for each in model.graph.node if each.op_type == "ReduceMean")
    node.output[0] = "mean"
    model.graph.node.insert(2, helper.make_node("ReduceMax", ["audio"], ["largest"], keepdims=0))
    model.graph.node.insert(3, helper.make_node("Sub", ["loud", "largest"], ["left"]))
    model.graph.node.insert(4, helper.make_node("Sqrt", ["left"], ["root"]))
    model.graph.node.insert(5, helper.make_node("Mul", ["mean", "root"], ["pooled"]))
    onnx.checker.check_model(model)
    path = write(tmp_path, model.SerializeToString())
    sound = tune(4, 16000, channels=1)
    loud, quiet = (
        write_audio(tmp_path / f"{name}.flac", level * sound, 16000)
        for name, level in (("loud", 1.0), ("quiet", 0.005))
    )
    with closing(Worker(path)) as worker:
        with pytest.raises(AudioError) as caught:
            worker.analyse(loud)
        assert caught.value.reason == "the network tiny-network gives numbers that are not finite"
        analysed = worker.analyse(quiet)
        assert analysed.embedding is not None
        assert analysed.analysis is not None
        assert analysed.analysis.attributes["tempo"] is None or analysed.analysis.attributes["tempo"] > 0


def test_the_signals_are_audible() -> None:
    """What is left out as silence is no test."""
    for windows in make_signals(Decoding()).values():
        assert windows.shape == (4, Decoding().samples)
        assert windows.dtype == np.float32
        assert (np.abs(windows).max(axis=1) > 1e-4).all()
        assert np.abs(windows).max() <= 1


def test_metadata_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(add_metadata(network(), "author", "me"))
    assert "carries no Resonance manifest" in reason(path)
    assert DECODING.windows == 3
    assert TINY["name"] == "tiny-network"
