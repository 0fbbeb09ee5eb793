"""The making of the default model on a handful of made-up songs, with a trunk of random weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytestmark = [pytest.mark.torch, pytest.mark.rest]
pytest.importorskip("torch")

import torch

from resonance_engine.features.spec import LogMelSpec, band_edges
from resonance_engine.network.backbones import EnvelopeBackbone
from resonance_engine.network.files import load_network
from resonance_engine.network.model import ResonanceNetwork
from resonance_engine.network.musicnn import MusiCNN
from resonance_engine.network.pretrained import SemanticBackbone
from resonance_engine.network.yamnet import YAMNet
from resonance_engine.training.data.cache import RamCache
from resonance_engine.training.data.dataset import WindowSet
from training.default_model.fitting import (
    TrainingWindows,
    describe_model,
    fit_network,
    initial_network,
    limit_timbre,
    save_model,
    trunk_activations,
)
from training.default_model.heads import facet_slices
from training.default_model.pretrained import Trunks
from training.default_model.recipe import RECIPE, SPEC

if TYPE_CHECKING:
    from pathlib import Path


SONGS, PER_SOUNDTRACK = 8, 2
# As wide as so few windows have directions.
PARTS = {name: replace(part, width=8) for name, part in RECIPE.parts.items()}
NARROW = replace(RECIPE, epochs=2, parts=PARTS)


@pytest.fixture(scope="module")
def trunks() -> Trunks:
    """Random weights; most of musicnn's filters are silent, as most of the published ones are."""
    torch.manual_seed(5)
    semantic, instrumentation = MusiCNN().state_dict(), YAMNet().state_dict()
    for name, values in semantic.items():
        if values.dim() and name.startswith(("timbral", "temporal")):
            values[3:] = 0
    for values in instrumentation.values():
        if values.dim() > 1:  # so that thirteen layers of random weights do not fade
            torch.nn.init.kaiming_normal_(values)
    tags = tuple(f"tag {number}" for number in range(571))
    return Trunks({"semantic": semantic, "instrumentation": instrumentation}, tags)


@pytest.fixture(scope="module")
def windows() -> WindowSet:
    """Songs of two windows, each a variant of its soundtrack's sound."""
    cache = RamCache(SPEC)
    keys = [bytes([song]) * 16 for song in range(SONGS)]
    for song, key in enumerate(keys):
        soundtrack, own = np.random.default_rng(song // PER_SOUNDTRACK), np.random.default_rng((1, song))
        features = {}
        for name, each in SPEC.modalities.items():
            shape = each.shape(SPEC.decoding)
            common = soundtrack.random((1, *shape[:1], *(1 for _ in shape[1:])), np.float32)
            values = 0.6 * common + 0.4 * own.random((2, *shape), np.float32)
            features[name] = 80 * values - 90 if isinstance(each, LogMelSpec) else values
        cache.put(key, features)
    names = [str(song) for song in range(SONGS)]
    return WindowSet(cache, keys, names, [str(song // PER_SOUNDTRACK) for song in range(SONGS)])


def envelope() -> tuple[ResonanceNetwork, EnvelopeBackbone]:
    """A network of timbre alone, as the default model's, and its backbone."""
    torch.manual_seed(0)
    network = ResonanceNetwork(("timbre",), spec=SPEC, backbones={"timbre": "envelope"})
    backbone = network.backbones["timbre"]
    assert isinstance(backbone, EnvelopeBackbone)
    return network.eval(), backbone


@torch.no_grad()
def test_timbre_is_deaf_above_its_ceiling_and_there_alone() -> None:
    network, backbone = envelope()
    framing = SPEC.timbre.framing
    centres = torch.from_numpy(band_edges(framing.rate, framing.n_mels)[1:-1])
    sound = torch.rand(2, framing.n_mels, 40, generator=torch.Generator().manual_seed(1)) * 60 - 70
    sound[:, 3, 7] = 0  # the loudest cell, by which the level is told
    cut, dull = sound.clone(), sound.clone()
    cut[:, centres >= 6000] = -70
    dull[:, (centres >= 3000) & (centres < 6000)] = -70
    before = backbone(sound)
    assert (backbone(cut) - before).norm(dim=1).min() > 0.1
    limit_timbre(network, 6000)
    limited = backbone(sound)
    assert (limited - before).norm(dim=1).min() > 0.01
    torch.testing.assert_close(backbone(cut), limited, atol=1e-3, rtol=0)
    assert (backbone(dull) - limited).norm(dim=1).min() > 0.1


@torch.no_grad()
def test_untrained_is_the_published_trunk_and_chance(trunks: Trunks) -> None:
    first, again, other = (initial_network(trunks, seed).state_dict() for seed in (0, 0, 1))
    for modality, state in trunks.states.items():
        assert all(torch.equal(values, first[f"backbones.{modality}.trunk.{name}"]) for name, values in state.items())
    assert all(torch.equal(values, again[name]) for name, values in first.items())
    assert not torch.equal(first["backbones.harmony.project.weight"], other["backbones.harmony.project.weight"])
    assert not initial_network(trunks, 0).training


@pytest.fixture(scope="module")
def activations(trunks: Trunks, windows: WindowSet) -> dict[str, np.ndarray]:
    return trunk_activations(trunks, windows)


@pytest.fixture(scope="module")
def network(trunks: Trunks, windows: WindowSet, activations: dict[str, np.ndarray]) -> ResonanceNetwork:
    return fit_network(trunks, TrainingWindows(windows, activations), np.arange(SONGS), NARROW)


@torch.inference_mode()
def test_the_network_tells_the_soundtracks_apart_by_every_facet(network: ResonanceNetwork, windows: WindowSet) -> None:
    count = len(windows.song)
    embedding, facets, gates, tags = network(*(torch.from_numpy(x) for x in windows.rows(range(count)).values()))
    assert tags.shape == (count, 571)
    group = windows.group[windows.song]
    same, others = group[:, None] == group, group[:, None] != group
    for number, (name, where) in enumerate(facet_slices(NARROW.parts).items()):
        facet = facets[:, number].numpy()
        np.testing.assert_allclose(np.linalg.norm(facet[:, where], axis=1), 1, atol=1e-4)
        similarity = facet @ facet.T
        assert similarity[same].mean() > similarity[others].mean() + 0.3, name
        share = embedding[:, where].square().sum(dim=1).mean()
        assert float(share) == pytest.approx(NARROW.parts[name].share, abs=0.1)
    torch.testing.assert_close(gates.sum(dim=1), torch.ones(count))


@torch.inference_mode()
def test_semantic_activations_are_brought_to_one_scale(
    network: ResonanceNetwork, activations: dict[str, np.ndarray]
) -> None:
    semantic, heard = network.backbones["semantic"], activations["semantic"]
    assert isinstance(semantic, SemanticBackbone)
    values = semantic.scale(torch.from_numpy(heard)).numpy()
    audible = heard.std(axis=0) > 2e-3
    assert 0 < audible.sum() < len(audible)
    np.testing.assert_allclose(values[:, audible].std(axis=0), 1, atol=1e-2)
    assert np.abs(values[:, heard.std(axis=0) < 5e-4]).max() < 1e-3
    # What the trunk never answered to the songs may come from other music: it counts for nothing there.
    changed = torch.from_numpy(np.where(heard.std(axis=0) == 0, heard + 1, heard))
    torch.testing.assert_close(semantic.facet(changed), semantic.facet(torch.from_numpy(heard)), atol=2e-2, rtol=0)


def test_the_same_songs_make_the_same_network(
    network: ResonanceNetwork, trunks: Trunks, windows: WindowSet, activations: dict[str, np.ndarray]
) -> None:
    torch.manual_seed(99)
    again = fit_network(trunks, TrainingWindows(windows, activations), np.arange(SONGS), NARROW).state_dict()
    assert all(torch.equal(values, again[name]) for name, values in network.state_dict().items())


def test_what_an_encoder_changes_is_heard_less(
    network: ResonanceNetwork, trunks: Trunks, windows: WindowSet, activations: dict[str, np.ndarray]
) -> None:
    """An encoder that moves all windows in one direction of the semantic activations."""
    heard = activations["semantic"]
    direction = np.where(heard.std(axis=0) > 2e-3, np.random.default_rng(3).normal(size=heard.shape[1]), 0)
    encoded = (heard + 3 * heard.std(axis=0) * direction).astype(np.float32)
    aware = fit_network(
        trunks,
        TrainingWindows(windows, activations),
        np.arange(SONGS),
        NARROW,
        [TrainingWindows(windows, activations | {"semantic": encoded})],
    )

    def kept(network: ResonanceNetwork) -> float:
        semantic = network.backbones["semantic"]
        assert isinstance(semantic, SemanticBackbone)
        with torch.inference_mode():
            before, after = (semantic.facet(torch.from_numpy(each)) for each in (heard, encoded))
            return float((before * after).sum(dim=1).mean())

    assert kept(aware) > kept(network) + 0.1


@torch.no_grad()
def test_what_lies_far_below_the_loudest_cell_is_silence_to_timbre() -> None:
    _, backbone = envelope()
    sound = torch.rand(2, SPEC.timbre.framing.n_mels, 40, generator=torch.Generator().manual_seed(1)) * 80 - 80
    sound[:, 3, 7] = 0
    deep = torch.where(sound < -45, sound - 30, sound)
    torch.testing.assert_close(backbone(deep), backbone(sound), atol=1e-6, rtol=0)
    assert (backbone(torch.where(sound < -30, sound - 30, sound)) - backbone(sound)).norm(dim=1).min() > 0.01
    torch.testing.assert_close(backbone(sound - 20), backbone(sound), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_what_is_written_is_a_model_with_its_weights_in_one_file(
    network: ResonanceNetwork, trunks: Trunks, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unsealed = describe_model(trunks)
    sealed = save_model(network, unsealed, tmp_path / "new" / "folder")
    (path,) = (tmp_path / "new" / "folder").iterdir()
    assert path.name == "model.onnx"
    loaded, manifest = load_network(path)
    assert manifest == sealed
    assert replace(sealed, id=unsealed.id) == unsealed
    assert all(torch.equal(values, network.state_dict()[name]) for name, values in loaded.state_dict().items())
    assert f"model {sealed.id}: " in capsys.readouterr().out
