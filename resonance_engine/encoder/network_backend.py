"""Run a network that was trained elsewhere: patches of windows to one unit vector each, alone or as part of a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.encoder.backends import MOST_SHOWN, OnnxBackend, open_session
from resonance_engine.encoder.model_files import BASE_FILE
from resonance_engine.encoder.network_manifest import (
    FEATURE,
    POOLINGS,
    SEMANTIC,
    WHOLE,
    is_network,
    read_network_manifest,
    verify_width,
    widen_decoding,
)
from resonance_engine.errors import ModelError, printable
from resonance_engine.features.network_input import PATCH, TIME
from resonance_engine.features.patches import NETWORK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import onnxruntime
    from numpy.typing import NDArray

    from resonance_engine.encoder.backends import Backend, Features, Outputs
    from resonance_engine.encoder.manifest import Manifest
    from resonance_engine.encoder.network_manifest import NetworkManifest
    from resonance_engine.features.spec import FeatureSpec

    Array = NDArray[np.float32]

BATCH, BATCH_NUMBERS = 8, 64_000
"""Patches at a time, and the numbers in them: larger batches do not make onnxruntime faster, only larger."""
FLOAT = "tensor(float)"
SEPARABLE = "gated_add"  # the fusion whose embedding is a sum of its facets


@dataclass(frozen=True)
class NetworkModel:
    """What a loaded network is to the rest of the program, as a `Manifest` is for a model of this project."""

    id: str
    name: str
    version: str
    dimensions: int
    modalities: tuple[str, ...]
    tags: tuple[str, ...]
    spec: FeatureSpec
    inputs: tuple[str, ...]


class NetworkBackend:
    """A network alone, with one facet, or as the semantic facet beside the other ones of `base`.

    Alone, the embedding is the network's unit vector. As a part, it is as wide as both models together: the other
    facets of the base in its own numbers, the network's vector behind them, each times its gate, as `gated_add` sums
    them. The base's gates are kept, so that each facet has the share of the similarity that it has there.
    """

    def __init__(self, path: Path, session: onnxruntime.InferenceSession) -> None:
        self.session, self.shown = session, printable(path)
        described = read_network_manifest(session.get_modelmeta().custom_metadata_map, self.shown)
        self.network = described.network
        self.batch = self.verify_input()
        static = self.verify_output()
        self.base = open_base(path.with_name(BASE_FILE), described) if described.network.part == SEMANTIC else None
        width = (static or self.measure_width()) * POOLINGS[self.network.pooling]
        verify_width(self.network.name, width)
        self.manifest = describe(described, width, self.base.manifest if self.base else None)

    def verify_input(self) -> int | None:
        """Return the number of patches that the network takes at once, None for any; ModelError for another input."""
        inputs = self.session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(f"{node.name} {list(node.shape)}" for node in inputs) or "none"
            raise ModelError(f"{self.shown} should have one input and has {names}; export it with the audio alone.")
        (node,), spec = inputs, self.network.input
        verify_type(self.shown, f"its input {node.name}", node.type)
        verify_shape(self.shown, f"its input {node.name}", "input.axes", spec.axes, node.shape, spec.axis_lengths())
        batch = node.shape[spec.axes.index(PATCH)] if spec.is_batched else 1
        return batch if isinstance(batch, int) else None

    def verify_output(self) -> int | None:
        """Return the width of the output where the file states it; ModelError where that is not what the YAML says."""
        outputs = {node.name: node for node in self.session.get_outputs()}
        spec = self.network.output
        if spec.name not in outputs:
            names = ", ".join(f"{name} {list(node.shape)}" for name, node in outputs.items())
            raise ModelError(f"{self.shown} has no output {spec.name!r}; output.name should be one of: {names}.")
        node = outputs[spec.name]
        what = f"its output {spec.name}"
        verify_type(self.shown, what, node.type)
        if node.shape:  # an exporter may leave out the shape of an output, which is seen when it runs
            lengths = [1 if axis == 1 else None for axis in spec.axes]
            verify_shape(self.shown, what, "output.axes", spec.axes, node.shape, lengths)
            width = node.shape[spec.axes.index(FEATURE)]
            return width if isinstance(width, int) else None
        return None

    def measure_width(self) -> int:
        """Return the width of the output by running the network on one patch of noise."""
        shape = (self.batch or 1, *self.network.input.patch_shape)
        noise = np.random.default_rng(0).standard_normal(shape, np.float32)
        return int(self.vectors_of(self.infer(noise)).shape[2])

    def run(self, features: Features) -> Outputs:
        """Return embeddings, facets and gates of windows, as `Backend.run`; the base's tags behind them.

        Raises ModelError for vectors that are not finite, or nothing but zeros.
        """
        vectors = self.embed(features[NETWORK])
        if self.base is None:
            return vectors, vectors[:, np.newaxis], np.ones((len(vectors), 1), np.float32)
        _, facets, gates, *tags = self.base.run({name: features[name] for name in self.base.manifest.modalities})
        names = self.base.manifest.modalities
        place, own = names.index(SEMANTIC), facets.shape[2]
        combined = np.zeros((*facets.shape[:2], own + vectors.shape[1]), np.float32)
        combined[:, :, :own] = facets
        combined[:, place] = 0
        combined[:, place, own:] = vectors
        embeddings = (gates[:, :, np.newaxis] * combined).sum(axis=1)
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
        return embeddings, combined, gates, *tags

    def embed(self, windows: Array) -> Array:
        """Compute unit vectors (windows, width) of patches (windows, patches, *patch_shape)."""
        pools_itself = self.network.input.is_batched and not self.network.output.is_batched
        if pools_itself:
            vectors = np.concatenate([self.vectors_of(self.infer(patches)) for patches in windows])
        else:
            vectors = self.run_patches(windows.reshape(-1, *windows.shape[2:]))
        grouped = vectors.reshape(len(windows), -1, vectors.shape[2])
        pooled = np.stack([pool(each, self.network.pooling) for each in grouped])
        lengths = np.linalg.norm(pooled.astype(np.float64), axis=1, keepdims=True)
        if not np.isfinite(lengths).all():
            raise ModelError(f"the network {self.network.name} gives numbers that are not finite")
        if not lengths.all():
            raise ModelError(f"the network {self.network.name} gives nothing but zeros")
        unit: Array = (pooled / lengths).astype(np.float32)
        return unit

    def run_patches(self, patches: Array) -> Array:
        """Compute the vectors (patches, times, width) of patches, a batch at a time."""
        batch = self.batch or min(BATCH, max(1, BATCH_NUMBERS // patches[0].size))
        vectors = []
        for at in range(0, len(patches), batch):
            chunk = patches[at : at + batch]
            # A network of a fixed batch: the last one is filled up with repetitions, whose results are dropped.
            filled = chunk[np.arange(batch) % len(chunk)] if self.batch else chunk
            vectors.append(self.vectors_of(self.infer(filled))[: len(chunk)])
        return np.concatenate(vectors)

    def infer(self, patches: Array) -> Array:
        """Return the output of the network for patches, as it is."""
        name = self.session.get_inputs()[0].name
        try:
            output: Array = self.session.run([self.network.output.name], {name: self.network.input.arrange(patches)})[0]
        except Exception as error:  # onnxruntime raises many kinds
            if "alloc" in str(error):
                raise
            why = " ".join(str(error).split())[:MOST_SHOWN]
            raise ModelError(f"the network {self.network.name} does not run on such patches: {why}") from error
        return output

    def vectors_of(self, output: Array) -> Array:
        """Return the vectors in an output, (patches, times, width), with 1 for an axis that it lacks."""
        axes, shape = self.network.output.axes, output.shape
        if len(shape) != len(axes) or any(axis == 1 != length for axis, length in zip(axes, shape, strict=True)):
            raise ModelError(
                f"{self.shown}: its output {self.network.output.name} came in the shape {list(shape)}, which does not "
                f"fit output.axes: {format_axes(axes)}"
            )
        named = [axis for axis in axes if axis != 1]
        lengths = dict(zip(axes, shape, strict=True))
        values = output.reshape([lengths[axis] for axis in named])
        values = values.transpose([named.index(axis) for axis in (PATCH, TIME, FEATURE) if axis in named])
        return values.reshape(lengths.get(PATCH, 1), lengths.get(TIME, 1), lengths[FEATURE])


def open_onnx(path: Path) -> Backend | NetworkBackend:
    """Open a model file, one of this project's or a network that was trained elsewhere."""
    session = open_session(path)
    if is_network(session.get_modelmeta().custom_metadata_map):
        return NetworkBackend(path, session)
    return OnnxBackend(path, session)


def open_base(path: Path, described: NetworkManifest) -> OnnxBackend:
    """Open the model that has the other parts; ModelError where it is not the one of the manifest."""
    base = OnnxBackend(path)
    verify_base(base.manifest)
    try:
        described.network.input.count_patches(base.manifest.spec.decoding.seconds)
    except ValueError as error:
        raise ModelError(f"The network {described.network.name} does not fit: input.{error}") from error
    if base.manifest.id != described.base:
        raise ModelError(
            f"{printable(path)} is not the model that {described.network.name} was added to, but {base.manifest.name} "
            f"{base.manifest.version}; remove {described.network.name} and add it again"
        )
    return base


def verify_base(manifest: Manifest) -> None:
    """Raise ModelError for a model whose semantic facet cannot be replaced."""
    if manifest.fusion != SEPARABLE or manifest.metric or SEMANTIC not in manifest.modalities:
        raise ModelError(
            f"The model {manifest.name} {manifest.version} has no semantic part that another network could take the "
            f"place of; write `part: {WHOLE}`"
        )


def describe(described: NetworkManifest, width: int, base: Manifest | None) -> NetworkModel:
    """Return what a network of this width is to the rest of the program, beside the other facets of `base` if any."""
    network = described.network
    named = (described.id, network.name, network.version)
    if base is None:
        assert described.spec is not None, "the manifest of a whole model has one"
        return NetworkModel(*named, width, (SEMANTIC,), (), described.spec, (NETWORK,))
    inputs = (*base.modalities, NETWORK)
    # The features of the base are at rates of their own, whatever that of the windows is.
    spec = replace(base.spec, decoding=widen_decoding(base.spec.decoding, network))
    return NetworkModel(*named, base.dimensions + width, base.modalities, base.tags, spec, inputs)


def pool(vectors: Array, pooling: str) -> Array:
    """Pool the vectors (n, width) of a window's patches."""
    mean: Array = vectors.mean(axis=0)
    if pooling == "mean":
        return mean
    return np.concatenate([mean, vectors.std(axis=0)] if pooling == "mean+std" else [vectors.max(axis=0), mean])


def verify_type(shown: str, what: str, kind: str) -> None:
    if kind != FLOAT:
        raise ModelError(f"{shown}: {what} should be {FLOAT}, 32 bits, and is {kind}; export it in float32.")


def verify_shape(
    shown: str,
    what: str,
    key: str,
    axes: Sequence[object],
    shape: Sequence[int | str | None],
    lengths: Sequence[int | None],
) -> None:
    """Raise ModelError for a shape of the file that axes of these lengths cannot have; None and names are open."""
    fits = len(shape) == len(axes) and all(
        not isinstance(given, int) or expected in (None, given) for given, expected in zip(shape, lengths, strict=True)
    )
    if not fits:
        wanted = ", ".join(str(axis if length is None else length) for axis, length in zip(axes, lengths, strict=True))
        raise ModelError(
            f"{shown}: {what} has the shape {list(shape)}, which does not fit {key}: {format_axes(axes)}, "
            f"that is [{wanted}]; see the network's own description for its order and lengths."
        )


def format_axes(axes: Sequence[object]) -> str:
    """Format axes as YAML writes them: [patch, time, mel]."""
    return f"[{', '.join(map(str, axes))}]"
