"""The network without what it learned."""

from __future__ import annotations

import numpy as np
import pytest

from demo.untrained import UntrainedNetwork, drawn, shapes
from resonance_engine.encoder.encoder import Encoder
from resonance_engine.encoder.model_files import SHIPPED


@pytest.fixture(scope="module")
def features() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    spec = Encoder(SHIPPED).manifest.spec
    found = {}
    for name, each in spec.modalities.items():
        values = rng.random((2, *each.shape(spec.decoding)), dtype=np.float32)
        found[name] = values * 80 - 90 if name == "timbre" else values
    return found


def test_it_forgets_what_the_shipped_model_learned(features: dict[str, np.ndarray]) -> None:
    learned = Encoder(SHIPPED).embed(features).vector
    drawn_by_lot = UntrainedNetwork(SHIPPED.parent)(features)
    assert abs(float(drawn_by_lot @ learned)) / np.linalg.norm(drawn_by_lot) < 0.3


def test_the_seed_decides(features: dict[str, np.ndarray]) -> None:
    first, again, other = (UntrainedNetwork(SHIPPED.parent, seed)(features) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other, atol=0.01)


def test_weights_lie_within_pytorch_s_limits() -> None:
    arrays = shapes(SHIPPED.parent / "model.safetensors")
    weights = drawn(arrays, np.random.default_rng(0))
    for name in ("backbones.timbre.project.weight", "backbones.timbre.project.bias"):
        limit = arrays["backbones.timbre.project.weight"][1] ** -0.5
        assert weights[name].shape == arrays[name]
        assert 0.9 * limit < np.abs(weights[name]).max() <= limit
