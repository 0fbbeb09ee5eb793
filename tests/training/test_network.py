"""The network: facets and embedding of unit length, gates that sum to one, nothing that depends on the batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import torch

from resonance_engine.encoder.manifest import BACKBONE_KINDS, FUSION_MODES
from resonance_engine.features.spec import YAMNET, FeatureSpec, Framing, InstrumentationSpec, SemanticSpec, TimbreSpec
from resonance_engine.network.backbones import (
    BACKBONES,
    HarmonyBackbone,
    Residual,
    ResidualLinear,
    RhythmBackbone,
    Spectral,
    TimbreBackbone,
    moments,
)
from resonance_engine.network.model import FUSIONS, CrossAttention, GatedAdd, GatedConcat, Gates, ResonanceNetwork
from resonance_engine.network.pretrained import SemanticBackbone, TaggingBackbone
from resonance_engine.network.standardize import Standardize
from resonance_engine.training.learning.steps import compute_outputs
from tests.tiny_models import MANIFEST, TAGGED, features
from tests.tiny_networks import tiny_network

# With both pretrained networks, and nothing else.
WIDE = replace(
    TAGGED,
    spec=replace(
        TAGGED.spec,
        timbre=None,
        harmony=None,
        rhythm=None,
        instrumentation=InstrumentationSpec(replace(YAMNET, rate=8000, hop=30, highest=4000)),
    ),
    tags=tuple(f"tag {number}" for number in range(571)),
)


def inputs(count: int, seed: int = 0) -> list[torch.Tensor]:
    return [torch.from_numpy(values) for values in features(count, seed).values()]


@pytest.mark.parametrize("backbone", BACKBONE_KINDS)
@pytest.mark.parametrize("fusion", FUSION_MODES)
class TestWhole:
    def test_lengths_and_sums(self, fusion: str, backbone: str) -> None:
        with torch.inference_mode():
            embedding, facets, gates = tiny_network(fusion, backbone=backbone)(*inputs(5))
        assert (embedding.shape, facets.shape, gates.shape) == ((5, 16), (5, 3, 16), (5, 3))
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(5))
        torch.testing.assert_close(facets.norm(dim=2), torch.ones(5, 3))
        torch.testing.assert_close(gates.sum(dim=1), torch.ones(5))
        assert (gates > 0).all()

    def test_a_window_alone_and_among_others(self, fusion: str, backbone: str) -> None:
        network, together = tiny_network(fusion, backbone=backbone), inputs(5)
        with torch.inference_mode():
            whole = network(*together)
            alone = network(*(values[3:4] for values in together))
        for found, expected in zip(alone, whole, strict=True):
            torch.testing.assert_close(found[0], expected[3], atol=1e-6, rtol=0)

    def test_every_parameter_learns(self, fusion: str, backbone: str) -> None:
        network = tiny_network(fusion, backbone=backbone).train()
        embedding, facets, _ = network(*inputs(6))
        torch.autograd.backward((embedding[:3] * embedding[3:]).sum() + (facets[:3] * facets[3:]).sum())
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.abs().max() > 0, name


def test_a_linear_map_follows_the_fusion() -> None:
    network, mapped = tiny_network(), tiny_network()
    first, second = torch.randn(16, 16), torch.randn(16, 16)
    with torch.inference_mode():
        embedding, facets, gates = network(*inputs(5))
        mapped.transform(first)
        mapped.transform(second)
        found = mapped(*inputs(5))
    expected = torch.nn.functional.normalize(embedding @ (second @ first).T, dim=1)
    torch.testing.assert_close(found[0], expected)
    torch.testing.assert_close(found[1:], (facets, gates))


def test_a_fresh_linear_map_changes_nothing() -> None:
    torch.manual_seed(0)
    network = ResonanceNetwork.from_manifest(replace(MANIFEST, metric=True)).eval()
    assert network.metric is not None
    with torch.inference_mode():
        mapped = network(*inputs(3))[0]
        network.metric = None
        torch.testing.assert_close(network(*inputs(3))[0], mapped)


def test_each_fusion_of_a_manifest_exists() -> None:
    assert tuple(FUSIONS) == FUSION_MODES


def test_each_modality_has_a_backbone() -> None:
    every = FeatureSpec(semantic=SemanticSpec(), instrumentation=InstrumentationSpec())
    assert tuple(BACKBONES) == tuple(every.modalities)


class TestTags:
    """The fourth output, of a network whose manifest names tags."""

    def inputs(self) -> list[torch.Tensor]:
        return [torch.from_numpy(values) for values in features(3, spec=TAGGED.spec).values()]

    def semantic(self, network: ResonanceNetwork) -> SemanticBackbone:
        backbone = network.backbones["semantic"]
        assert isinstance(backbone, SemanticBackbone)
        return backbone

    def test_they_are_what_the_semantic_network_hears_and_change_nothing_else(self) -> None:
        with torch.inference_mode():
            *without, tags = tiny_network(manifest=TAGGED)(*self.inputs())
            expected = tiny_network(manifest=replace(TAGGED, tags=()))(*self.inputs())
            backbone = self.semantic(tiny_network(manifest=TAGGED))
            torch.testing.assert_close(tags, backbone.pool_and_tag(self.inputs()[3])[1])
        assert tags.shape == (3, 50)
        torch.testing.assert_close(tuple(without), expected)

    def test_two_networks_give_theirs_one_after_the_other(self) -> None:
        network = tiny_network(manifest=WIDE)
        inputs = [torch.from_numpy(values) for values in features(3, spec=WIDE.spec).values()]
        with torch.inference_mode():
            *_, tags = network(*inputs)
            backbones = [network.backbones[name] for name in ("semantic", "instrumentation")]
            assert all(isinstance(each, TaggingBackbone) for each in backbones)
            first, second = (each.pool_and_tag(x)[1] for each, x in zip(backbones, inputs, strict=True))
        assert tags.shape == (3, 571)
        torch.testing.assert_close(tags, torch.cat([first, second], dim=1))

    def test_their_network_runs_once(self) -> None:
        network, runs = tiny_network(manifest=TAGGED), []
        self.semantic(network).trunk.register_forward_hook(lambda *_: runs.append(1))
        with torch.inference_mode():
            network(*self.inputs())
        assert len(runs) == 1

    @pytest.mark.parametrize(
        ("modalities", "tags", "sentence"),
        [
            (("timbre", "semantic"), 49, "tags should be 50, as many as its pretrained networks give, not 49"),
            (("timbre", "rhythm"), 50, "tags should be 0, as many as its pretrained networks give, not 50"),
        ],
    )
    def test_other_ones_it_does_not_give(self, modalities: tuple[str, ...], tags: int, sentence: str) -> None:
        with pytest.raises(ValueError, match=sentence):
            ResonanceNetwork(modalities, dimensions=8, spec=TAGGED.spec, tags=tags)

    @pytest.mark.parametrize("recompute", [False, True])
    def test_training_does_without_them(self, recompute: bool) -> None:
        assert len(compute_outputs(tiny_network(manifest=TAGGED).train(), self.inputs(), recompute)) == 3


def test_the_manifest_decides_the_shapes() -> None:
    framing = Framing(n_mels=128)
    spec = FeatureSpec(timbre=TimbreSpec(framing), harmony=None, rhythm=None)
    network = ResonanceNetwork.from_manifest(replace(MANIFEST, spec=spec, dimensions=24)).eval()
    with torch.inference_mode():
        embedding, facets, gates = network(torch.rand(2, 128, 60))
    assert (embedding.shape, facets.shape) == ((2, 24), (2, 1, 24))
    assert gates.tolist() == [[1.0], [1.0]]


class TestTimbre:
    @pytest.mark.parametrize("bands", [20, 64, 128, 160])
    def test_any_number_of_bands(self, bands: int) -> None:
        assert TimbreBackbone(8, bands).eval()(torch.rand(2, bands, 50)).shape == (2, 8)

    def test_level_does_not_count(self) -> None:
        backbone, (timbre, *_) = TimbreBackbone(8, 20).eval(), inputs(2)
        with torch.inference_mode():
            torch.testing.assert_close(backbone(timbre), backbone(timbre - 12.0), atol=1e-5, rtol=0)

    def test_what_is_80_db_below_the_loudest_is_silence(self) -> None:
        levels = torch.tensor([[[0.0, -60.0, -100.0]], [[-20.0, -90.0, -110.0]]])
        assert TimbreBackbone.prepare(levels).tolist() == [[[0.0, -60.0, -80.0]], [[0.0, -70.0, -80.0]]]


class TestHarmony:
    def test_patterns_do_not_depend_on_the_key(self) -> None:
        """With the part that keeps the key switched off, a transposed window has the same facet."""
        torch.manual_seed(0)
        backbone = HarmonyBackbone(8, 12).eval()
        chroma = torch.rand(2, 12, 50)
        with torch.no_grad():
            backbone.project.weight[:, -2 * 12 :] = 0.0
            for steps in (1, 5, 11):
                torch.testing.assert_close(backbone(chroma.roll(steps, dims=1)), backbone(chroma), atol=1e-5, rtol=0)
            assert (backbone(chroma.flip(1)) - backbone(chroma)).abs().max() > 1e-4

    def test_the_key_is_heard_too(self) -> None:
        torch.manual_seed(0)
        backbone, chroma = HarmonyBackbone(8, 12).eval(), torch.rand(1, 12, 50)
        chroma[:, :3] += 1.0
        with torch.inference_mode():
            assert (backbone(chroma.roll(5, dims=1)) - backbone(chroma)).abs().max() > 1e-3


def test_rhythm_takes_any_number_of_lags() -> None:
    assert RhythmBackbone(8, 100).eval()(torch.rand(3, 100)).shape == (3, 8)


class TestParts:
    def test_standardize_by_hand(self) -> None:
        layer = Standardize(2)
        layer.mean.copy_(torch.tensor([1.0, 10.0]))
        layer.deviation.copy_(torch.tensor([2.0, 5.0]))
        expected = [[[0.0, 1.0], [0.0, -2.0]]]
        assert layer(torch.tensor([[[1.0, 3.0], [10.0, 0.0]]])).tolist() == expected
        assert layer(torch.tensor([[3.0, 0.0]])).tolist() == [[1.0, -2.0]]

    def test_moments_are_mean_and_deviation_over_time(self) -> None:
        values = np.random.default_rng(0).random((2, 3, 50)).astype(np.float32)
        expected = np.concatenate([values.mean(axis=2), np.sqrt(values.var(axis=2) + 1e-5)], axis=1)
        np.testing.assert_allclose(moments(torch.from_numpy(values)), expected, atol=1e-6)

    def test_gates_by_hand(self) -> None:
        gates = Gates(2, 2)
        with torch.no_grad():
            gates.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
            gates.bias.copy_(torch.tensor([0.0, -1.0]))
        facets = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
        # sigmoid(1) is the gate of both before they are made to sum to one.
        assert gates(facets).tolist() == [[0.5, 0.5]]
        with torch.no_grad():
            gates.bias.copy_(torch.tensor([-1.0, -2.0 - np.log(3.0)]))
        # sigmoid(0) = 1/2 and sigmoid(-log 3) = 1/4.
        torch.testing.assert_close(gates(facets), torch.tensor([[2 / 3, 1 / 3]]))

    def test_gated_add_by_hand(self) -> None:
        fusion = GatedAdd(2, 2)
        with torch.no_grad():
            fusion.gates.weight.zero_()
        embedding, gates = fusion(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]))
        assert gates.tolist() == [[0.5, 0.5]]
        torch.testing.assert_close(embedding, torch.tensor([[0.5**0.5, 0.5**0.5]]))

    def test_gated_concat_by_hand(self) -> None:
        fusion = GatedConcat(2, 2)
        with torch.no_grad():
            fusion.gates.weight.zero_()
            fusion.gates.bias.copy_(torch.tensor([0.0, -np.log(2.0)]))
            fusion.project.weight.copy_(torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]))
            fusion.project.bias.zero_()
        embedding, gates = fusion(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]))
        # sigmoid(0) = 1/2 and sigmoid(-log 2) = 1/3.
        torch.testing.assert_close(gates, torch.tensor([[0.6, 0.4]]))
        torch.testing.assert_close(embedding, torch.tensor([[3.0, 2.0]]) / 13**0.5)

    def test_cross_attention_against_pytorch(self) -> None:
        """torch.nn.MultiheadAttention with the same weights answers the same."""
        torch.manual_seed(0)
        width, inner = 6, 8
        fusion = CrossAttention(3, width, inner, heads=2)
        reference = torch.nn.MultiheadAttention(inner, 2, batch_first=True)
        with torch.no_grad():
            reference.in_proj_weight.copy_(torch.eye(inner).repeat(3, 1))
            reference.in_proj_bias.zero_()
            reference.out_proj.weight.copy_(torch.eye(inner))
            reference.out_proj.bias.zero_()
            facets = torch.nn.functional.normalize(torch.randn(4, 3, width), dim=2)
            named = facets + fusion.names
            heard, _ = reference(fusion.ask(named), fusion.offer(named), fusion.tell(facets))
            changed = torch.nn.functional.normalize(facets + fusion.answer(heard), dim=2)
            gates = fusion.gates(changed)
            expected = torch.nn.functional.normalize((gates[:, :, None] * changed).sum(dim=1), dim=1)
            embedding, found = fusion(facets)
        torch.testing.assert_close(embedding, expected)
        torch.testing.assert_close(found, gates)

    def test_cross_attention_without_an_answer_is_gated_add(self) -> None:
        attention, plain = CrossAttention(3, 6), GatedAdd(3, 6)
        plain.gates.load_state_dict(attention.gates.state_dict())
        with torch.no_grad():
            attention.answer.weight.zero_()
            facets = torch.nn.functional.normalize(torch.randn(4, 3, 6), dim=2)
            for found, expected in zip(attention(facets), plain(facets), strict=True):
                torch.testing.assert_close(found, expected)

    def test_residual_layers_can_pass_their_input_on(self) -> None:
        """With the second layer silent, what is left is the shortcut."""
        image, stage = torch.randn(2, 3, 8, 10), Residual(Spectral, 3, 4, (2, 2)).eval()
        flat, layer = torch.randn(2, 5), ResidualLinear(5).eval()
        with torch.no_grad():
            for norm in (stage.second[1], layer.second[1]):
                norm.weight.zero_()
            torch.testing.assert_close(stage(image), stage.shortcut(image).relu())
            torch.testing.assert_close(layer(flat), flat.relu())
        assert stage(image).shape == Spectral(3, 4, (2, 2))(image).shape
