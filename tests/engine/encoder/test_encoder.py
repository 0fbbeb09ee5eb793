"""An exported model: which file is used, what is refused and why, and what an embedding is."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resonance_engine.encoder.backends import OnnxBackend
from resonance_engine.encoder.encoder import BATCH, Encoder
from resonance_engine.encoder.manifest import METADATA_KEY
from resonance_engine.encoder.model_files import SHIPPED, SHIPPED_NAMES, find_model_file, locate_model
from resonance_engine.errors import ModelError
from resonance_engine.features.spec import FRONT_END_VERSION
from tests import golden_vectors
from tests.tiny_models import MANIFEST, SPEC, TAGGED, features, onnx_model, other_decoding

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(onnx_model())
    return path


class TestDetection:
    """Which backend runs a path is told from what is there."""

    @pytest.mark.parametrize(
        ("names", "given", "backend", "expected"),
        [
            (["a.onnx"], "a.onnx", "auto", ("onnx", "a.onnx")),
            (["a.onnx"], "a.onnx", "onnx", ("onnx", "a.onnx")),
            (["A.ONNX"], "A.ONNX", "auto", ("onnx", "A.ONNX")),
            (["a.safetensors"], "a.safetensors", "auto", ("torch", "a.safetensors")),
            (["a.safetensors"], "a.safetensors", "torch", ("torch", "a.safetensors")),
            (["a.onnx", "card.md"], "", "auto", ("onnx", "a.onnx")),
            (["a.safetensors", "card.md"], "", "auto", ("torch", "a.safetensors")),
            (["a.onnx", "a.safetensors"], "", "auto", ("onnx", "a.onnx")),
            (["a.onnx", "a.safetensors"], "", "onnx", ("onnx", "a.onnx")),
            (["a.onnx", "a.safetensors"], "", "torch", ("torch", "a.safetensors")),
            (["a.onnx", "b.safetensors", "c.safetensors"], "", "auto", ("onnx", "a.onnx")),
            (["a.onnx", "._a.onnx"], "", "auto", ("onnx", "a.onnx")),
            (["a.onnx"], "a.onnx", "torch", ("torch", "a.onnx")),
            (["a.onnx", "card.md"], "", "torch", ("torch", "a.onnx")),
            (["a.onnx", "a.safetensors"], "a.onnx", "torch", ("torch", "a.onnx")),
            (["a.pt"], "a.pt", "auto", ("torch", "a.pt")),
            (["ckpt.pt", "state.safetensors", "hpo.json"], "", "auto", ("torch", "ckpt.pt")),
            (["ckpt.pt", "other.safetensors", "model.onnx"], "", "torch", ("torch", "ckpt.pt")),
            (["ckpt.pt", "model.onnx"], "", "auto", ("onnx", "model.onnx")),
            (["a.safetensors", "state.safetensors"], "", "auto", ("torch", "a.safetensors")),
            (["state.safetensors"], "state.safetensors", "auto", ("torch", "state.safetensors")),
            (["weights.bin"], "weights.bin", "onnx", ("onnx", "weights.bin")),
            (["weights.bin"], "weights.bin", "torch", ("torch", "weights.bin")),
        ],
    )
    def test_found(self, tmp_path: Path, names: list[str], given: str, backend: str, expected: tuple[str, str]) -> None:
        for name in names:
            (tmp_path / name).touch()
        kind, file = locate_model(tmp_path / given, backend)
        assert (kind, file.name) == expected
        assert find_model_file(tmp_path / given, backend) == file

    @pytest.mark.parametrize(
        ("names", "given", "backend", "sentence"),
        [
            ([], "", "auto", "holds neither an exported model"),
            ([], "", "torch", "holds neither an exported model"),
            (["card.md"], "", "auto", "holds neither an exported model"),
            (["state.safetensors"], "", "auto", "holds neither an exported model"),
            (["a.onnx", "b.onnx"], "", "auto", "holds 2 models (a.onnx, b.onnx); give the path of one"),
            (["a.safetensors", "b.safetensors"], "", "torch", "holds 2 models"),
            ([], "missing.onnx", "auto", "There is no model at"),
            (["file"], "file/a.onnx", "auto", "There is no model at"),
            (["a.onnx", "b.onnx"], "", "torch", "holds 2 models (a.onnx, b.onnx); give the path of one"),
            (["a.safetensors"], "a.safetensors", "onnx", "no model for the onnx backend; give another path, or --back"),
            (["weights.bin"], "weights.bin", "auto", "name it with --backend onnx or --backend torch"),
            (["a.onnx"], "a.onnx", "tensorrt", "must be one of auto, onnx, torch, not 'tensorrt'"),
        ],
    )
    def test_not_found(self, tmp_path: Path, names: list[str], given: str, backend: str, sentence: str) -> None:
        for name in names:
            (tmp_path / name).touch()
        with pytest.raises(ModelError) as caught:
            locate_model(tmp_path / given, backend)
        assert sentence in str(caught.value)

    def test_a_path_that_is_no_text_can_be_named(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"\\xff\.onnx") as caught:
            locate_model(tmp_path / os.fsdecode(b"\xff.onnx"))
        str(caught.value).encode()

    def test_a_shipped_name_is_resolved_unless_a_path_has_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for name in SHIPPED_NAMES:
            assert locate_model(Path(name)) == ("onnx", SHIPPED.parents[1] / name / "model.onnx")
        (tmp_path / "default-int8").mkdir()
        (tmp_path / "default-int8" / "own.onnx").touch()
        assert locate_model(Path("default-int8")) == ("onnx", Path("default-int8/own.onnx"))

    def test_a_misspelt_name_of_a_shipped_model_is_recognised(self) -> None:
        with pytest.raises(ModelError, match=r"^There is no model at default-int; did you mean default-int8\?$"):
            locate_model(Path("default-int"))

    def test_a_model_is_used_from_its_folder(self, model: Path) -> None:
        (model.parent / "README.md").touch()
        assert Encoder(model.parent).manifest == Encoder(model).manifest == MANIFEST.seal([b"0"])


def truncated() -> bytes:
    whole = onnx_model()
    return whole[: len(whole) // 2]


def tagged(names: tuple[str, ...]) -> bytes:
    """A model of 50 tags with names for these."""
    return onnx_model(TAGGED, metadata={METADATA_KEY: replace(TAGGED, tags=names).seal([b"0"]).to_json()})


def with_manifest(**changes: object) -> bytes:
    document = {**json.loads(MANIFEST.seal([b"0"]).to_json()), **changes}
    return onnx_model(metadata={METADATA_KEY: json.dumps(document)})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(bytes, "not a model that onnxruntime can run", id="empty"),
        pytest.param(lambda: b"weights\n", "not a model that onnxruntime can run", id="text"),
        pytest.param(truncated, "not a model that onnxruntime can run", id="truncated"),
        pytest.param(lambda: onnx_model(metadata={}), "carries no Resonance manifest", id="of another program"),
        pytest.param(lambda: onnx_model(metadata={METADATA_KEY: "{"}), "damaged manifest", id="damaged manifest"),
        pytest.param(lambda: with_manifest(format=2), "update Resonance", id="newer format"),
        pytest.param(lambda: with_manifest(front_end=FRONT_END_VERSION + 1), "feature front end", id="other front end"),
        pytest.param(
            lambda: with_manifest(spec=json.loads(other_decoding().spec.to_json())),
            "timbre should have the shape (windows, 20, 100)",
            id="other input",
        ),
        pytest.param(
            lambda: with_manifest(dimensions=8), "embedding should have the shape (windows, 8)", id="other output"
        ),
        pytest.param(
            lambda: onnx_model(outputs=("embedding", "gates")), "it should have embedding, facets", id="no facets"
        ),
        pytest.param(
            lambda: onnx_model(TAGGED, outputs=("embedding", "facets", "gates")),
            "it should have embedding, facets, gates, tags",
            id="no tags",
        ),
        pytest.param(
            lambda: tagged(TAGGED.tags[:-1]), "tags should have the shape (windows, 49)", id="more tags than names"
        ),
    ],
)
def test_a_file_that_is_no_usable_model_is_refused_by_name(
    tmp_path: Path, content: Callable[[], bytes], sentence: str
) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(content())
    with pytest.raises(ModelError) as caught:
        Encoder(path)
    assert str(path) in str(caught.value)
    assert sentence in str(caught.value)


def test_a_model_that_gives_no_unit_vectors_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "long.onnx"
    path.write_bytes(onnx_model(length=2.0))
    with pytest.raises(ModelError, match="tiny gives no unit vectors"):
        Encoder(path).embed(features(2))


def test_numbers_that_are_none_are_not_believed(model: Path) -> None:
    broken = features(2)
    broken["rhythm"][0, 0] = np.nan
    with pytest.raises(ModelError, match="no unit vectors"):
        Encoder(model).embed(broken)


@pytest.mark.parametrize("count", [1, 4, BATCH, BATCH + 1])
def test_an_embedding_is_the_mean_of_the_windows(model: Path, count: int) -> None:
    encoder = Encoder(model)
    heard = encoder.embed(features(count))
    embedding, facets, gates = OnnxBackend(model).run(features(count))
    np.testing.assert_allclose(heard.windows.vectors, embedding, atol=1e-6)
    mean = embedding.mean(axis=0)
    np.testing.assert_allclose(heard.vector, mean / np.linalg.norm(mean), atol=1e-6)
    for position, name in enumerate(SPEC.modalities):
        mean = facets[:, position].mean(axis=0)
        np.testing.assert_allclose(heard.facets[name], mean / np.linalg.norm(mean), atol=1e-6)
        assert heard.gates[name] == pytest.approx(float(gates[:, position].mean()), abs=1e-6)
    for vector in (heard.vector, *heard.facets.values(), *heard.windows.vectors):
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)
    assert list(heard.facets) == list(heard.gates) == list(SPEC.modalities)
    assert sum(heard.gates.values()) == pytest.approx(1.0, abs=1e-6)


class TestTags:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "tagged.onnx"
        path.write_bytes(onnx_model(TAGGED))
        return path

    @pytest.mark.parametrize("count", [1, BATCH + 3])
    def test_they_are_the_means_over_the_windows_by_name(self, path: Path, count: int) -> None:
        heard = Encoder(path).embed(features(count, spec=TAGGED.spec))
        *_, tags = OnnxBackend(path).run(features(count, spec=TAGGED.spec))
        assert tags.shape == (count, 50)
        assert list(heard.tags) == list(TAGGED.tags)
        np.testing.assert_allclose(list(heard.tags.values()), tags.mean(axis=0), atol=1e-6)
        assert {type(probability) for probability in heard.tags.values()} == {float}
        assert max(heard.tags.values()) - min(heard.tags.values()) > 0.1

    def test_a_model_of_a_fixed_batch_gives_them_too(self, tmp_path: Path, path: Path) -> None:
        fixed = tmp_path / "fixed.onnx"
        fixed.write_bytes(onnx_model(TAGGED, batch=3))
        inputs = features(4, spec=TAGGED.spec)
        assert Encoder(fixed).embed(inputs).tags == pytest.approx(Encoder(path).embed(inputs).tags, abs=1e-6)

    def test_a_model_without_any_gives_none(self, model: Path) -> None:
        assert Encoder(model).embed(features(2)).tags == {}

    @pytest.mark.parametrize("likelihood", [1.5, -1.0, float("nan")])
    def test_what_are_no_probabilities_are_not_believed(self, tmp_path: Path, likelihood: float) -> None:
        path = tmp_path / "sure.onnx"
        path.write_bytes(onnx_model(TAGGED, likelihood=likelihood))
        with pytest.raises(ModelError, match="tags that the model tiny gives are no probabilities"):
            Encoder(path).embed(features(2, spec=TAGGED.spec))

    def test_the_rounding_of_a_quantised_model_is_taken_back(self, path: Path) -> None:
        found = Encoder(path).probabilities(np.linspace(-1e-4, 1 + 1e-4, 50, dtype=np.float32))
        assert (min(found.values()), max(found.values())) == (0, 1)


@pytest.mark.parametrize("count", [1, 3, 4, 2 * BATCH + 1])
def test_a_model_of_a_fixed_batch_takes_any_number_of_windows(tmp_path: Path, model: Path, count: int) -> None:
    path = tmp_path / "fixed.onnx"
    path.write_bytes(onnx_model(batch=3))
    fixed, free = Encoder(path).embed(features(count)), Encoder(model).embed(features(count))
    assert fixed.windows.vectors.shape == (count, MANIFEST.dimensions)
    np.testing.assert_allclose(fixed.windows.vectors, free.windows.vectors, atol=1e-6)
    np.testing.assert_allclose(fixed.vector, free.vector, atol=1e-6)


def test_a_window_is_heard_alike_alone_and_among_others(model: Path) -> None:
    encoder, inputs = Encoder(model), features(BATCH + 3)
    together = encoder.embed(inputs).windows.vectors
    for row in (0, BATCH - 1, BATCH, BATCH + 2):
        alone = encoder.embed({name: values[row : row + 1] for name, values in inputs.items()}).windows.vectors[0]
        np.testing.assert_allclose(together[row], alone, atol=1e-6)


def test_features_that_the_model_does_not_take_are_left_alone(model: Path) -> None:
    extra = {**features(2), "semantic": np.zeros((2, 3), np.float32)}
    np.testing.assert_array_equal(Encoder(model).embed(extra).vector, Encoder(model).embed(features(2)).vector)


def test_the_shipped_model_gives_the_numbers_that_it_gave() -> None:
    """A failure means that embeddings in users' stores no longer fit; see `tests.golden_vectors`."""
    encoder = Encoder()
    found = golden_vectors.outputs(encoder)
    with np.load(golden_vectors.PATH, allow_pickle=False) as file:
        stored = {name: file[name] for name in file.files}
    assert found.keys() == stored.keys()
    assert str(found.pop("id")) == str(stored.pop("id")), "another model: renew with `python -m tests.golden_vectors`"
    for name, values in stored.items():
        np.testing.assert_allclose(found[name], values, atol=1e-4, err_msg=name)
