"""The loss against its formula: by hand on a circle, and by a slow double loop."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from typing import TYPE_CHECKING

import torch
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.training.losses import supervised_contrastive

if TYPE_CHECKING:
    from numpy.typing import NDArray


def circle(*degrees: float) -> torch.Tensor:
    angle = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def labels(*values: int) -> torch.Tensor:
    return torch.tensor(values)


def slow(vectors: NDArray[np.float64], label: list[int], temperature: float, neutral: list[int] | None) -> float:
    """Khosla et al. 2020, equation 2, with neutral pairs left out of the denominator."""
    terms = []
    for i, anchor in enumerate(vectors):
        positive = [p for p in range(len(label)) if p != i and label[p] == label[i]]
        if not positive:
            continue
        counted = [
            a for a in range(len(label)) if a != i and (a in positive or neutral is None or neutral[a] != neutral[i])
        ]
        denominator = sum(math.exp(anchor @ vectors[a] / temperature) for a in counted)
        shares = [math.exp(anchor @ vectors[p] / temperature) / denominator for p in positive]
        terms.append(-sum(map(math.log, shares)) / len(positive))
    return sum(terms) / len(terms) if terms else 0.0


class TestByHand:
    def test_two_pairs_on_a_cross(self) -> None:
        # Each anchor has its positive at cosine 1, two negatives at 0.
        loss = supervised_contrastive(circle(0, 0, 90, 90), labels(1, 1, 2, 2), temperature=0.5)
        assert float(loss) == pytest.approx(-math.log(math.e**2 / (math.e**2 + 2)))

    def test_a_pair_and_its_opposite(self) -> None:
        # Anchors are the pair at 60 degrees, cosine 1/2; the third is at cosine -1 of one, -1/2 of the other.
        loss = supervised_contrastive(circle(0, 60, 180), labels(1, 1, 2), temperature=1.0)
        first = -math.log(math.exp(0.5) / (math.exp(0.5) + math.exp(-1)))
        second = -math.log(math.exp(0.5) / (math.exp(0.5) + math.exp(-0.5)))
        assert float(loss) == pytest.approx((first + second) / 2)

    def test_three_of_a_kind_share_their_loss(self) -> None:
        # Alone with positives at the same place, each has half of the denominator.
        assert float(supervised_contrastive(circle(5, 5, 5), labels(3, 3, 3))) == pytest.approx(math.log(2))

    def test_a_neutral_pair_is_neither_drawn_nor_driven(self) -> None:
        vectors, songs, albums = circle(0, 0, 90, 90), labels(1, 1, 2, 2), labels(7, 7, 7, 7)
        assert float(supervised_contrastive(vectors, songs, 0.5, neutral=albums)) == pytest.approx(0.0)
        # With a third song of another album, that alone is driven away.
        vectors, songs, albums = circle(0, 0, 90, 90), labels(1, 1, 2, 3), labels(7, 7, 7, 8)
        loss = supervised_contrastive(vectors, songs, 0.5, neutral=albums)
        assert float(loss) == pytest.approx(-math.log(math.e**2 / (math.e**2 + 1)))

    def test_a_batch_without_a_pair_gives_nothing_to_learn(self) -> None:
        vectors = circle(0, 50, 90).requires_grad_()
        loss = supervised_contrastive(vectors, labels(1, 2, 3))
        torch.autograd.backward(loss)
        assert float(loss.detach()) == 0.0
        assert vectors.grad is not None
        assert vectors.grad.abs().max() == 0.0


CASES = st.integers(2, 10).flatmap(
    lambda size: st.tuples(
        st.lists(st.integers(0, 4), min_size=size, max_size=size),
        st.booleans(),
        st.sampled_from([0.05, 0.1, 1.0]),
        st.integers(0, 1000),
    )
)


@given(CASES)
def test_it_is_the_formula(case: tuple[list[int], bool, float, int]) -> None:
    songs, with_albums, temperature, seed = case
    albums = [song // 2 for song in songs] if with_albums else None
    vectors = np.random.default_rng(seed).standard_normal((len(songs), 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    loss = supervised_contrastive(
        torch.from_numpy(vectors), labels(*songs), temperature, None if albums is None else labels(*albums)
    )
    assert float(loss) == pytest.approx(slow(vectors, songs, temperature, albums), rel=1e-6, abs=1e-9)


@given(CASES)
def test_gradients_are_finite(case: tuple[list[int], bool, float, int]) -> None:
    songs, with_albums, temperature, seed = case
    torch.manual_seed(seed)
    vectors = torch.nn.functional.normalize(torch.randn(len(songs), 4), dim=1).requires_grad_()
    neutral = labels(*(song // 2 for song in songs)) if with_albums else None
    torch.autograd.backward(supervised_contrastive(vectors, labels(*songs), temperature, neutral))
    assert vectors.grad is not None
    assert torch.isfinite(vectors.grad).all()


def test_a_step_down_draws_together_what_belongs_together() -> None:
    vectors = circle(0, 40, 60, 100).requires_grad_()
    songs = labels(1, 2, 1, 2)
    torch.autograd.backward(supervised_contrastive(vectors, songs, 0.5))
    assert vectors.grad is not None
    moved = torch.nn.functional.normalize(vectors.detach() - 0.05 * vectors.grad, dim=1)
    worse = supervised_contrastive(vectors.detach(), songs, 0.5)
    assert float(supervised_contrastive(moved, songs, 0.5)) < float(worse)
    before, after = vectors.detach() @ vectors.detach().T, moved @ moved.T
    assert after[0, 2] > before[0, 2]
    assert after[1, 3] > before[1, 3]
