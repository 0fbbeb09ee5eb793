"""ONNX networks of other projects' kinds, small enough to be made in a test, and the YAML that describes them."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    Shape = Sequence[int | str | None]

MELS, PATCH, WIDTH = 16, 50, 12
LOG_MEL: dict[str, Any] = {
    "name": "tiny-network",
    "version": "1",
    "licence": "CC BY-NC 4.0",
    "input": {
        "kind": "log-mel",
        "mel": {
            "rate": 16000,
            "n_fft": 512,
            "window": 512,
            "hop": 256,
            "n_mels": MELS,
            "lowest": 0,
            "highest": 8000,
        },
        "logarithm": {"kind": "log10", "scale": 10000, "offset": 1},
        "patch": PATCH,
        "patch_hop": PATCH,
        "axes": ["patch", "time", "mel"],
    },
    "output": {"name": "embeddings"},
    "pooling": "mean",
}
WAVEFORM: dict[str, Any] = {
    **LOG_MEL,
    "input": {"kind": "waveform", "rate": 48000, "patch": 480000, "patch_hop": 384000, "axes": ["patch", "time"]},
}


def changed(document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy of a document with other values, by keys such as input__axes; without a key whose value is ...."""
    copy = deepcopy(document)
    for path, value in changes.items():
        *sections, key = path.split("__")
        section = copy
        for name in sections:
            section = section[name]
        if value is ...:
            del section[key]
        else:
            section[key] = value
    return copy


def network(
    axes: Shape = ("batch", PATCH, MELS),
    *,
    outputs: dict[str, Shape | None] | None = None,
    inputs: int = 1,
    pool: Sequence[int] = (1,),
    width: int = WIDTH,
    gain: float = 1.0,
    seed: int = 0,
    dtype: str = "FLOAT",
    noise: bool = False,
    constant: bool = False,
) -> bytes:
    """An ONNX file: the input's mean over axes `pool`, times a matrix of `width` columns, a sigmoid, times `gain`.

    `outputs` states the shapes of the outputs, a second one being the first one's logits. With `noise` it adds noise,
    with `constant` it gives the same for all.
    """
    onnx = pytest.importorskip("onnx", reason="needs the training extra: onnx writes the network")
    helper, kind = onnx.helper, getattr(onnx.TensorProto, dtype)
    random = np.random.default_rng(seed)
    kept: list[int | str | None] = [length for place, length in enumerate(axes) if place not in pool]
    depth = kept[-1] if isinstance(kept[-1], int) else 1
    values = random.standard_normal((depth, width)) / depth
    weights: list[Any] = [
        onnx.numpy_helper.from_array(values.astype(helper.tensor_dtype_to_np_dtype(kind)), "matrix"),
        onnx.numpy_helper.from_array(np.array(pool, np.int64), "places"),
        onnx.numpy_helper.from_array(np.array(gain, helper.tensor_dtype_to_np_dtype(kind)), "gain"),
        onnx.numpy_helper.from_array(np.array(0 if constant else 1, helper.tensor_dtype_to_np_dtype(kind)), "change"),
    ]
    names = [*(outputs or {"embeddings": None}), "second"][:2]
    nodes = [
        helper.make_node("Mul", ["audio", "change"], ["changed"]),
        helper.make_node("ReduceMean", ["changed", "places"], ["pooled"], keepdims=0, noop_with_empty_axes=1),
        helper.make_node("MatMul", ["pooled", "matrix"], [names[1]]),
        helper.make_node("Sigmoid", [names[1]], ["activation"]),
        helper.make_node("RandomNormalLike", ["activation"], ["random"]),
        helper.make_node("Add", ["activation", "random"], ["noisy"]),
        helper.make_node("Mul", ["noisy" if noise else "activation", "gain"], [names[0]]),
    ]
    stated: dict[str, Shape | None] = {**outputs} if outputs else {"embeddings": [*kept[:-1], width]}
    more = [helper.make_tensor_value_info(f"more{number}", kind, [1]) for number in range(1, inputs)]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("audio", kind, list(axes)), *more],
        [helper.make_tensor_value_info(name, kind, shape and list(shape)) for name, shape in stated.items()],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    content: bytes = model.SerializeToString()
    return content


def write_network(folder: Path, content: bytes | None = None, document: dict[str, Any] = LOG_MEL) -> Path:
    """Write a network and its YAML into a folder, and return the network's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "network.onnx"
    path.write_bytes(network() if content is None else content)
    path.with_suffix(".yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return path
