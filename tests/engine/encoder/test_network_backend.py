"""Networks of other projects' kinds in onnxruntime: pooled, of unit length, and refused where YAML and file differ."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest

from resonance_engine.encoder.encoder import Encoder
from resonance_engine.encoder.manifest import METADATA_KEY
from resonance_engine.encoder.network_backend import NetworkBackend, open_onnx
from resonance_engine.encoder.network_manifest import Network, NetworkManifest
from resonance_engine.encoder.onnx_metadata import add_metadata
from resonance_engine.errors import ModelError
from resonance_engine.features.front_end import resample
from resonance_engine.features.patches import NETWORK, cut_patches
from resonance_engine.features.spec import Decoding, FeatureSpec
from tests.onnx_networks import LOG_MEL, MELS, PATCH, WAVEFORM, WIDTH, changed, network
from tests.tiny_models import MANIFEST, SPEC, TAGGED, features, onnx_model

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

COUNT = 3  # patches of a window of 1 s: 63 frames, PATCH of them every 5
DECODING = Decoding(rate=44100, seconds=1.0, hop_seconds=0.5, windows=3)
TINY = changed(LOG_MEL, input__patch_hop=5)
WINDOWS = np.random.default_rng(0).standard_normal((5, COUNT, PATCH, MELS)).astype(np.float32)


def write(folder: Path, content: bytes, document: dict[str, Any] = TINY, base: bytes | None = None) -> Path:
    """Write a network as `beet resonance model add` does, in a folder of its own, and the model beside it."""
    described = Network.parse(document)
    if base is None:
        manifest = NetworkManifest(described, FeatureSpec(decoding=DECODING))
    else:
        (folder / "base.onnx").write_bytes(base)
        manifest = NetworkManifest(described, base=Encoder(folder / "base.onnx").manifest.id)
    path = folder / "model.onnx"
    path.write_bytes(add_metadata(content, METADATA_KEY, manifest.seal([content]).to_json()))
    return path


def outputs_of(content: bytes, patches: NDArray[np.float32], name: str = "embeddings") -> NDArray[np.float64]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (output,) = session.run([name], {"audio": patches})
    return np.asarray(output, np.float64)


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return scaled


POOLED = {
    "mean": lambda vectors: vectors.mean(axis=0),
    "mean+std": lambda vectors: np.concatenate([vectors.mean(axis=0), vectors.std(axis=0)]),
    "max+mean": lambda vectors: np.concatenate([vectors.max(axis=0), vectors.mean(axis=0)]),
}


@pytest.mark.parametrize("pooling", POOLED)
@pytest.mark.parametrize("batch", ["batch", None, 1, 2, 4, 64])
def test_poolings_whatever_the_batch(tmp_path: Path, pooling: str, batch: int | str | None) -> None:
    path = write(tmp_path, network((batch, PATCH, MELS)), changed(TINY, pooling=pooling))
    embeddings, facets, gates = Encoder(path).backend.run({NETWORK: WINDOWS})
    expected = [POOLED[pooling](outputs_of(network(), patches)) for patches in WINDOWS]
    assert embeddings == pytest.approx(unit(np.array(expected)), abs=1e-5)
    assert np.array_equal(facets, embeddings[:, np.newaxis])
    assert np.array_equal(gates, np.ones((5, 1)))


@pytest.mark.parametrize(
    ("axes", "shape", "pool"),
    [
        (["patch", "mel", "time"], ("batch", MELS, PATCH), (2,)),
        (["patch", 1, "time", "mel"], ("batch", 1, PATCH, MELS), (1, 2)),
        (["time", "patch", "mel"], (PATCH, "batch", MELS), (0,)),
    ],
)
def test_the_order_of_the_input(tmp_path: Path, axes: list[Any], shape: tuple[Any, ...], pool: tuple[int, ...]) -> None:
    """The network is the same, but for the order of its input, so the vectors are the same."""
    usual = Encoder(write(tmp_path, network())).backend.run({NETWORK: WINDOWS})[0]
    other = write(tmp_path, network(shape, pool=pool), changed(TINY, input__axes=axes))
    assert Encoder(other).backend.run({NETWORK: WINDOWS})[0] == pytest.approx(usual, abs=1e-6)


def test_a_network_that_takes_one_patch(tmp_path: Path) -> None:
    document = changed(TINY, input__axes=["time", "mel"], output__axes=["feature"])
    path = write(tmp_path, network((PATCH, MELS), pool=(0,)), document)
    expected = unit(np.array([outputs_of(network(), patches).mean(axis=0) for patches in WINDOWS]))
    assert Encoder(path).backend.run({NETWORK: WINDOWS})[0] == pytest.approx(expected, abs=1e-5)


def test_vectors_over_time_are_pooled_with_the_patches(tmp_path: Path) -> None:
    content = network(("batch", PATCH, MELS), pool=(), outputs={"embeddings": ["batch", PATCH, WIDTH]})
    path = write(tmp_path, content, changed(TINY, output__axes=["patch", "time", "feature"], pooling="mean+std"))
    vectors = [outputs_of(content, patches).reshape(-1, WIDTH) for patches in WINDOWS]
    expected = unit(np.array([POOLED["mean+std"](each) for each in vectors]))
    assert Encoder(path).backend.run({NETWORK: WINDOWS})[0] == pytest.approx(expected, abs=1e-5)


def test_a_network_that_pools_its_patches_itself(tmp_path: Path) -> None:
    content = network(("batch", PATCH, MELS), pool=(0, 1), outputs={"embeddings": [WIDTH]})
    path = write(tmp_path, content, changed(TINY, output__axes=["feature"]))
    expected = unit(np.array([outputs_of(content, patches) for patches in WINDOWS]))
    assert Encoder(path).backend.run({NETWORK: WINDOWS})[0] == pytest.approx(expected, abs=1e-5)


def test_the_width_is_measured_where_the_file_does_not_state_it(tmp_path: Path) -> None:
    for shape in (["batch", "width"], None):
        path = write(tmp_path, network(outputs={"embeddings": shape}), changed(TINY, pooling="mean+std"))
        assert Encoder(path).manifest.dimensions == 2 * WIDTH


def test_the_second_output(tmp_path: Path) -> None:
    content = network(outputs={"scores": ["batch", WIDTH], "logits": ["batch", WIDTH]})
    path = write(tmp_path, content, changed(TINY, output__name="logits"))
    expected = unit(np.array([outputs_of(content, patches, "logits").mean(axis=0) for patches in WINDOWS]))
    assert Encoder(path).backend.run({NETWORK: WINDOWS})[0] == pytest.approx(expected, abs=1e-5)


class TestPart:
    """A network in the place of the semantic facet of another model."""

    def features(self, count: int = 5) -> dict[str, NDArray[np.float32]]:
        return {**features(count, spec=TAGGED.spec), NETWORK: WINDOWS[:count]}

    def test_the_other_facets_stay(self, tmp_path: Path) -> None:
        document = changed(TINY, part="semantic")
        encoder = Encoder(write(tmp_path, network(), document, onnx_model(TAGGED)))
        manifest, width = encoder.manifest, MANIFEST.dimensions
        assert manifest.modalities == TAGGED.modalities
        assert (manifest.dimensions, manifest.tags) == (width + WIDTH, TAGGED.tags)
        embeddings, facets, gates, tags = encoder.backend.run(self.features())
        base = Encoder(tmp_path / "base.onnx").backend.run(features(5, spec=TAGGED.spec))
        assert np.array_equal(facets[:, :3, :width], base[1][:, :3])
        assert not facets[:, :3, width:].any()
        assert not facets[:, 3, :width].any()
        alone = unit(np.array([outputs_of(network(), patches).mean(axis=0) for patches in WINDOWS]))
        assert facets[:, 3, width:] == pytest.approx(alone, abs=1e-5)
        assert np.array_equal(gates, base[2])
        assert np.array_equal(tags, base[3])
        for embedding, facet, gate in zip(embeddings, facets, gates, strict=True):
            assert embedding == pytest.approx(unit(np.array(gate @ facet, np.float64)), abs=1e-5)

    def test_a_network_of_a_higher_rate_decides_the_rate_of_the_windows(self, tmp_path: Path) -> None:
        document = changed(WAVEFORM, input__patch=4800, input__patch_hop=2400, part="semantic")
        encoder = Encoder(write(tmp_path, network(("batch", 4800), pool=()), document, onnx_model(TAGGED)))
        shipped = Encoder(tmp_path / "base.onnx")
        assert shipped.manifest.spec.decoding.rate == 8000
        assert encoder.manifest.spec == replace(TAGGED.spec, decoding=replace(TAGGED.spec.decoding, rate=44100))
        # A chord in the passband of either resampler.
        times = np.arange(44100) / 44100
        windows = np.stack([np.sin(2 * np.pi * hz * times) for hz in (440, 1000)]).astype(np.float32) / 4
        low = np.stack([resample(window, encoder.manifest.spec.decoding, 8000) for window in windows])
        embedding = encoder.embed(encoder.front_end(windows))
        for name, facet in shipped.embed(shipped.front_end(low)).facets.items():
            if name != "semantic":
                assert embedding.facets[name][: MANIFEST.dimensions] == pytest.approx(facet, abs=1e-3)

    def test_another_model_in_the_place_of_the_base(self, tmp_path: Path) -> None:
        path = write(tmp_path, network(), changed(TINY, part="semantic"), onnx_model(TAGGED))
        (tmp_path / "base.onnx").write_bytes(onnx_model(TAGGED, seed=1))
        with pytest.raises(ModelError, match=r"base.onnx is not the model that tiny-network was added to, but tiny 1"):
            Encoder(path)
        (tmp_path / "base.onnx").unlink()
        with pytest.raises(ModelError, match=r"base.onnx cannot be read: No such file"):
            Encoder(path)

    def test_a_model_without_semantic_part(self, tmp_path: Path) -> None:
        path = write(tmp_path, network(), changed(TINY, part="semantic"), onnx_model())
        with pytest.raises(ModelError, match=r"The model tiny 1 has no semantic part .* write `part: whole`"):
            Encoder(path)

    def test_patches_that_do_not_fit_into_the_base_s_windows(self, tmp_path: Path) -> None:
        document = changed(TINY, part="semantic", input__patch=80)
        path = write(tmp_path, network(("batch", 80, MELS)), document, onnx_model(TAGGED))
        with pytest.raises(ModelError, match=r"does not fit: input\.patch should be at most 63, as many as 1 s have"):
            Encoder(path)


def test_a_track(tmp_path: Path) -> None:
    encoder = Encoder(write(tmp_path, network()))
    windows = np.random.default_rng(1).uniform(-0.5, 0.5, (2, DECODING.samples)).astype(np.float32)
    found = encoder.front_end(windows)
    assert found.keys() == {"timbre", "harmony", "rhythm", NETWORK}
    embedding = encoder.embed(found, (0.0, 5.0))
    expected = [
        unit(outputs_of(network(), cut_patches(window, DECODING, Network.parse(TINY).input)).mean(axis=0))
        for window in windows
    ]
    assert embedding.vector == pytest.approx(unit(np.mean(expected, axis=0)), abs=1e-5)
    assert embedding.facets.keys() == {"semantic"}
    assert np.array_equal(embedding.facets["semantic"], embedding.vector)
    assert (embedding.gates, embedding.tags) == ({"semantic": 1.0}, {})
    assert embedding.windows is not None
    assert embedding.windows.vectors == pytest.approx(np.array(expected), abs=1e-5)


@pytest.mark.parametrize(
    ("content", "change", "sentence"),
    [
        (
            network(("batch", 96, MELS)),
            {},
            r"its input audio has the shape \['batch', 96, 16\], which does not fit input.axes: \[patch, time, mel\], "
            r"that is \[patch, 50, 16\]; see the network's own description",
        ),
        (network(("batch", 1, PATCH, MELS)), {}, r"\['batch', 1, 50, 16\], which does not fit input.axes"),
        (network(), {"input__axes": ["patch", "mel", "time"]}, r"that is \[patch, 16, 50\]"),
        (
            network(inputs=2),
            {},
            r"should have one input and has audio \['batch', 50, 16\], more1 \[1\]; export it with",
        ),
        (network(), {"output__name": "x"}, r"no output 'x'; output.name should be one of: embeddings \['batch', 12\]."),
        (network(), {"output__axes": ["patch", 1, "feature"]}, r"its output embeddings has the shape \['batch', 12\]"),
        (network(dtype="DOUBLE"), {}, r"its input audio should be tensor\(float\), 32 bits, and is tensor\(double\)"),
        (b"no model", {}, "is not a model that onnxruntime can run"),
    ],
    ids=["length", "axis", "order", "two inputs", "no output", "output", "type", "no model"],
)
def test_a_file_that_is_not_what_its_yaml_says(
    tmp_path: Path, content: bytes, change: dict[str, Any], sentence: str
) -> None:
    path = tmp_path / "model.onnx"
    if content.startswith(b"no"):
        path.write_bytes(content)
    else:
        path = write(tmp_path, content, changed(TINY, **change))
    with pytest.raises(ModelError, match=sentence):
        open_onnx(path)


def test_too_wide(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="gives 4098 numbers a window after pooling; at most 4096 are taken"):
        open_onnx(write(tmp_path, network(width=2049), changed(TINY, pooling="mean+std")))


def test_an_output_of_another_shape_than_the_file_states(tmp_path: Path) -> None:
    backend = open_onnx(write(tmp_path, network(outputs={"embeddings": None})))
    assert isinstance(backend, NetworkBackend)
    with pytest.raises(
        ModelError, match=r"came in the shape \[2, 3, 4\], which does not fit output.axes: \[patch, feat"
    ):
        backend.vectors_of(np.zeros((2, 3, 4), np.float32))


@pytest.mark.parametrize(
    ("gain", "sentence"), [(np.nan, "gives numbers that are not finite"), (0, "gives nothing but zeros")]
)
def test_numbers_that_are_no_vectors(tmp_path: Path, gain: float, sentence: str) -> None:
    backend = open_onnx(write(tmp_path, network(gain=gain)))
    with pytest.raises(ModelError, match=f"the network tiny-network {sentence}"):
        backend.run({NETWORK: WINDOWS})


def test_a_network_that_does_not_run(tmp_path: Path) -> None:
    """Its input is open, and its matrix does not fit."""
    backend = open_onnx(write(tmp_path, network((None, None, None)), changed(TINY, input__mel__n_mels=20)))
    with pytest.raises(ModelError, match=r"the network tiny-network does not run on such patches: .*MatMul"):
        backend.run({NETWORK: np.zeros((1, COUNT, PATCH, 20), np.float32)})


def test_a_model_of_this_project_is_opened_as_such(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(onnx_model())
    backend = open_onnx(tmp_path / "model.onnx")
    assert not isinstance(backend, NetworkBackend)
    assert backend.manifest.spec == SPEC


def test_a_waveform_of_another_rate(tmp_path: Path) -> None:
    document = changed(WAVEFORM, input__patch=4800, input__patch_hop=2400)
    encoder = Encoder(write(tmp_path, network(("batch", 4800), pool=()), document))
    windows = np.random.default_rng(1).uniform(-0.5, 0.5, (2, DECODING.samples)).astype(np.float32)
    found = encoder.front_end(windows)
    assert found[NETWORK].shape == (2, 19, 4800)
    assert encoder.embed(found).vector.shape == (WIDTH,)
