"""The exported model is the trained one: the same numbers, the same id, for any number of windows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import onnx
import torch
from safetensors.torch import save

from resonance_engine.cli import main
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.encoder.manifest import METADATA_KEY
from resonance_engine.errors import ModelError
from resonance_engine.features.spec import YAMNET, FeatureSpec, InstrumentationSpec, SemanticSpec
from resonance_engine.network import export as export_module
from resonance_engine.network.export import Parity, compare, example_inputs, export_onnx
from resonance_engine.network.files import load_network, save_network
from resonance_engine.network.pretrained import SemanticBackbone
from resonance_engine.training.results.parity import compare_outputs
from tests.tiny_models import MANIFEST, TAGGED, features, onnx_model
from tests.tiny_networks import Exported, export, tiny_network

if TYPE_CHECKING:
    from pathlib import Path

FUSIONS = ("gated_add", "gated_concat", "cross_attention")
# Fewer modalities are exported faster.
LIGHT = replace(TAGGED, spec=replace(TAGGED.spec, timbre=None, harmony=None))


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_both_backends_hear_the_same(exported: dict[str, Exported], fusion: str, count: int) -> None:
    files, inputs = exported[fusion], features(count, seed=count)
    original, copy = Encoder(files.weights), Encoder(files.onnx)
    first, second = original.embed(inputs), copy.embed(inputs)
    assert original.manifest == copy.manifest == files.manifest
    pairs = [(first.windows.vectors, second.windows.vectors), (first.vector[None], second.vector[None])]
    pairs += [(first.facets[name][None], second.facets[name][None]) for name in first.facets]
    for expected, found in pairs:
        errors = np.abs(expected - found)
        assert errors.mean() < 1e-5
        assert errors.max() < 1e-4
        assert (expected * found).sum(axis=1).min() > 0.9999
    assert second.gates == pytest.approx(first.gates, abs=1e-5)
    # Or the comparison would say nothing.
    assert len({round(gate, 5) for gate in first.gates.values()}) == 3
    assert count == 1 or np.abs(first.windows.vectors[0] - first.windows.vectors[1]).max() > 1e-3


@pytest.mark.parametrize("fusion", FUSIONS)
def test_the_export_was_compared(exported: dict[str, Exported], fusion: str) -> None:
    parity = exported[fusion].parity
    assert parity.is_within_tolerances
    assert 0 <= parity.mae <= parity.maximum < 1e-4


def test_one_export_takes_any_batch_and_one_only_its_own(exported: dict[str, Exported]) -> None:
    batches = [onnx.load(exported[fusion].onnx).graph.input[0].type.tensor_type.shape.dim[0] for fusion in FUSIONS]
    assert (batches[0].dim_param, batches[1].dim_value) == ("batch", 3)


def test_the_file_says_nothing_of_the_machine_that_made_it(exported: dict[str, Exported]) -> None:
    content = exported["gated_add"].onnx.read_bytes()
    assert b"resonance_engine/" not in content
    assert b".py" not in content


def test_the_file_has_the_id_of_the_weights(tmp_path: Path, exported: dict[str, Exported]) -> None:
    unsealed = replace(MANIFEST, fusion="gated_add")
    assert onnx.load(exported["gated_add"].onnx).metadata_props[0].key == METADATA_KEY
    assert Encoder(exported["gated_add"].onnx).manifest == save_network(tiny_network(), unsealed, tmp_path / "again")


def test_an_export_that_differs_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exported: dict[str, Exported]
) -> None:
    model = onnx.load(exported["gated_add"].onnx)

    class Program:
        model_proto = model

    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: Program())
    monkeypatch.setattr(export_module, "optimize_graph", lambda *_: None)
    path = tmp_path / "other.onnx"
    with pytest.raises(ModelError, match="does not give PyTorch's numbers"):
        export_onnx(tiny_network(seed=1), MANIFEST, path)
    assert not path.exists()
    assert export_onnx(tiny_network(seed=0), MANIFEST, path).is_within_tolerances


def test_parity_sees_a_difference(exported: dict[str, Exported]) -> None:
    content = exported["gated_add"].onnx.read_bytes()
    inputs = example_inputs(MANIFEST, 5)
    assert compare(content, tiny_network(), inputs).is_within_tolerances
    other = compare(content, tiny_network(seed=1), inputs)
    assert not other.is_within_tolerances
    assert other.maximum > other.mae > 1e-3
    assert other.cosine < 0.99


@pytest.mark.parametrize(
    "wrong",
    [{"mae": 2e-5}, {"maximum": 2e-4}, {"mse": 2e-5}, {"cosine": 0.999}, {"mae": float("nan")}],
    ids=str,
)
def test_each_tolerance_counts(wrong: dict[str, float]) -> None:
    good = Parity(1e-6, 1e-5, 1e-12, 1.0)
    assert good.is_within_tolerances
    assert not replace(good, **wrong).is_within_tolerances


def test_example_inputs_are_in_the_ranges_of_the_front_end() -> None:
    spec = FeatureSpec(semantic=SemanticSpec(), instrumentation=InstrumentationSpec())
    timbre, harmony, rhythm, semantic, instrumentation = example_inputs(replace(MANIFEST, spec=spec), 2)
    assert (timbre.shape, harmony.shape, rhythm.shape) == ((2, 160, 900), (2, 24, 900), (2, 320))
    assert (semantic.shape, instrumentation.shape) == ((2, 96, 1125), (2, 64, 1798))
    for log_mel in (timbre, semantic, instrumentation):
        assert -90 <= float(log_mel.min()) < -80
        assert -20 < float(log_mel.max()) <= -10
    for values in (harmony, rhythm):
        assert 0 <= float(values.min()) < 0.1
        assert 0.9 < float(values.max()) <= 1


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export(tmp_path_factory.mktemp("tagged"), "gated_add", None, manifest=LIGHT)


@pytest.mark.rest
class TestTags:
    """A network whose manifest names tags."""

    @pytest.mark.parametrize("count", [1, 2, 5])
    def test_both_backends_hear_the_same(self, tagged: Exported, count: int) -> None:
        inputs = features(count, seed=count, spec=LIGHT.spec)
        first, second = Encoder(tagged.weights).embed(inputs), Encoder(tagged.onnx).embed(inputs)
        np.testing.assert_allclose(second.windows.vectors, first.windows.vectors, atol=1e-4)
        for name, facet in first.facets.items():
            np.testing.assert_allclose(second.facets[name], facet, atol=1e-4)
        assert second.tags == pytest.approx(first.tags, abs=1e-4)
        assert list(second.tags) == list(LIGHT.tags)
        # Or the comparison would say nothing.
        assert max(first.tags.values()) - min(first.tags.values()) > 1e-3

    def test_the_tags_were_compared_too(self, tagged: Exported) -> None:
        assert tagged.parity.is_within_tolerances
        network = tiny_network(manifest=LIGHT)
        backbone = network.backbones["semantic"]
        assert isinstance(backbone, SemanticBackbone)
        with torch.no_grad():
            backbone.trunk.tags.bias.add_(0.1)
        found = compare(tagged.onnx.read_bytes(), network, example_inputs(LIGHT, 5))
        assert not found.is_within_tolerances
        assert 0.01 < found.maximum < 0.03  # a quarter of the change at the most, by the sigmoid's slope

    def test_backends_are_compared_with_their_tags(self, tagged: Exported) -> None:
        exported, original = (Encoder(path).backend for path in (tagged.onnx, tagged.weights))
        assert compare_outputs(exported, original, features(5, spec=LIGHT.spec), batch=2).is_within_tolerances

    def test_what_the_semantic_network_does_not_give_is_no_model(self, tmp_path: Path) -> None:
        path = tmp_path / "few.safetensors"
        save_network(tiny_network(manifest=LIGHT), replace(LIGHT, tags=("calm", "loud")), path)
        with pytest.raises(
            ModelError, match=r"few\.safetensors describes a network that cannot be built: its tags should"
        ):
            Encoder(path)

    @pytest.mark.parametrize("change", ["bands", "kind"])
    def test_another_semantic_network_is_no_model(self, tmp_path: Path, change: str) -> None:
        path = tmp_path / "odd.safetensors"
        framing = replace(LIGHT.spec.modalities["semantic"].framing, n_mels=64)
        spec = replace(LIGHT.spec, semantic=SemanticSpec(framing))
        odd = replace(LIGHT, spec=spec) if change == "bands" else replace(LIGHT, backbones={"semantic": "residual"})
        save_network(tiny_network(manifest=LIGHT), odd, path)
        with pytest.raises(ModelError, match="a network that cannot be built: the semantic network"):
            Encoder(path)

    def test_tags_that_nothing_gives_are_no_model(self, tmp_path: Path) -> None:
        path = tmp_path / "odd.safetensors"
        save_network(tiny_network(), replace(MANIFEST, tags=TAGGED.tags), path)
        with pytest.raises(ModelError, match="has tags and lacks a modality that gives them"):
            Encoder(path)


@pytest.mark.rest
def test_the_instrumentation_network_is_exported_for_any_number_of_windows(tmp_path: Path) -> None:
    framing = replace(YAMNET, rate=8000, hop=30, highest=4000)  # two patches and a rest
    spec = replace(LIGHT.spec, semantic=None, instrumentation=InstrumentationSpec(framing))
    manifest = replace(LIGHT, spec=spec, tags=tuple(f"class {number}" for number in range(521)))
    exported = export(tmp_path, "gated_add", None, manifest=manifest)
    assert exported.parity.is_within_tolerances
    original, copy = Encoder(exported.weights), Encoder(exported.onnx)
    for count in (1, 3):
        inputs = features(count, seed=count, spec=spec)
        first, second = original.embed(inputs), copy.embed(inputs)
        np.testing.assert_allclose(second.windows.vectors, first.windows.vectors, atol=1e-4)
        assert second.tags == pytest.approx(first.tags, abs=1e-4)
        assert max(first.tags.values()) - min(first.tags.values()) > 1e-3


class TestWeights:
    def test_they_are_read_as_they_were_written(self, exported: dict[str, Exported]) -> None:
        network, manifest = load_network(exported["gated_concat"].weights)
        assert manifest == exported["gated_concat"].manifest
        assert not network.training
        original = tiny_network("gated_concat").state_dict()
        assert network.state_dict().keys() == original.keys()
        assert all(torch.equal(tensor, original[name]) for name, tensor in network.state_dict().items())

    def test_the_id_changes_with_a_weight_and_with_a_buffer_and_not_with_the_name(self, tmp_path: Path) -> None:
        network: Any = tiny_network()
        ids = [save_network(network, MANIFEST, tmp_path / "a.safetensors").id]
        ids.append(save_network(network, replace(MANIFEST, name="mine"), tmp_path / "b.safetensors").id)
        with torch.no_grad():
            network.fusion.gates.bias[0] += 1e-3
        ids.append(save_network(network, MANIFEST, tmp_path / "c.safetensors").id)
        network.backbones["timbre"].standardize.mean[3] += 1.0
        ids.append(save_network(network, MANIFEST, tmp_path / "d.safetensors").id)
        assert ids[0] == ids[1]
        assert len(set(ids)) == 3

    @pytest.mark.parametrize("content", [b"", b"weights\n" * 100, None], ids=["empty", "text", "truncated"])
    def test_what_are_none_is_refused(
        self, tmp_path: Path, exported: dict[str, Exported], content: bytes | None
    ) -> None:
        path = tmp_path / "bad.safetensors"
        path.write_bytes(exported["gated_add"].weights.read_bytes()[:-100] if content is None else content)
        with pytest.raises(ModelError, match=r"bad\.safetensors is not a readable weights file"):
            Encoder(path)

    def test_those_of_another_network_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "odd.safetensors"
        save_network(tiny_network("gated_concat"), MANIFEST, path)
        with pytest.raises(ModelError, match="holds the weights of another network"):
            Encoder(path)

    def test_those_of_another_front_end_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "old.safetensors"
        save_network(tiny_network(), replace(MANIFEST, front_end=99), path)
        with pytest.raises(ModelError, match=r"old\.safetensors was made for version 99"):
            Encoder(path)


def test_a_broken_pytorch_is_a_sentence(exported: dict[str, Exported], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "resonance_engine.network.files", None)
    with pytest.raises(ModelError, match=r"needs PyTorch .*pip install '\.\[train\]'"):
        Encoder(exported["gated_add"].weights)


def test_the_opset_is_the_one_asked_for(exported: dict[str, Exported]) -> None:
    (main,) = (each for each in onnx.load(exported["gated_add"].onnx).opset_import if not each.domain)
    assert main.version == export_module.OPSET


class TestTarget:
    """What the command `export` replaces in its folder."""

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("model.onnx", onnx_model(metadata={})),
            ("model.onnx", b"no model"),
            ("model.safetensors", save({"x": torch.ones(1)})),
            ("model.safetensors", b"no model"),
            ("CARD.md", b"# Of another model"),
            ("CARD.md", b""),
        ],
    )
    def test_files_of_other_programs_stay(
        self,
        tmp_path: Path,
        exported: dict[str, Exported],
        capsys: pytest.CaptureFixture[str],
        name: str,
        content: bytes,
    ) -> None:
        path = tmp_path / name
        path.write_bytes(content)
        assert main(["export", "--load", str(exported["gated_add"].weights), "--outdir", str(tmp_path)]) == 1
        assert capsys.readouterr().err == (
            f"resonance: export --outdir: {path} is there already and is no file that an export wrote; name another "
            "file, or delete it first.\n"
        )
        assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [(name, content)]

    def test_an_earlier_export_is_replaced(self, tmp_path: Path, exported: dict[str, Exported]) -> None:
        files = exported["gated_add"], exported["cross_attention"]
        (tmp_path / "model.onnx").write_bytes(files[1].onnx.read_bytes())
        (tmp_path / "model.safetensors").write_bytes(files[1].weights.read_bytes())
        (tmp_path / "CARD.md").write_text("# Model card: of before")
        assert main(["export", "--load", str(files[0].weights), "--outdir", str(tmp_path)]) == 0
        for name in ("model.onnx", "model.safetensors"):
            assert load_network(tmp_path / name)[1] == files[0].manifest
        assert "of before" not in (tmp_path / "CARD.md").read_text()
