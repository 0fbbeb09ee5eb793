"""The losses against their formulas: by hand on a circle, by slow loops, and against pytorch-metric-learning."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from itertools import permutations
from typing import TYPE_CHECKING, Any

import torch
from hypothesis import given
from hypothesis import strategies as st

from resonance_engine.training.learning.losses import contrastive, supervised_contrastive, triplet

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


def slow_triplet(vectors: NDArray[np.float64], label: list[int], margin: float, neutral: list[int] | None) -> float:
    """Schroff et al. 2015, section 3.2, one triplet at a time."""
    squared = np.square(vectors[:, None] - vectors[None, :]).sum(axis=2)
    costs = []
    for anchor, positive in permutations(range(len(label)), 2):
        negatives = [
            n
            for n in range(len(label))
            if label[n] != label[anchor] and (neutral is None or neutral[n] != neutral[anchor])
        ]
        if label[anchor] != label[positive] or not negatives:
            continue
        semi_hard = [n for n in negatives if squared[anchor, n] > squared[anchor, positive]]
        if semi_hard:
            distance = min(squared[anchor, n] for n in semi_hard)
        else:
            distance = max(squared[anchor, n] for n in negatives)
        costs.append(max(0.0, squared[anchor, positive] - distance + margin))
    active = [cost for cost in costs if cost > 0]
    return sum(active) / len(active) if active else 0.0


def slow_contrastive(vectors: NDArray[np.float64], label: list[int], margin: float, neutral: list[int] | None) -> float:
    """Hadsell et al. 2006, equation 4, one pair at a time."""
    drawn, driven = [], []
    for i, j in permutations(range(len(label)), 2):
        distance = np.linalg.norm(vectors[i] - vectors[j])
        if label[i] == label[j]:
            drawn.append(0.5 * distance**2)
        elif neutral is None or neutral[i] != neutral[j]:
            driven.append(0.5 * max(0.0, margin - distance) ** 2)
    active = [cost for cost in driven if cost > 0]
    return sum(drawn) / max(1, len(drawn)) + sum(active) / max(1, len(active))


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


class TestTripletByHand:
    """Squared distances on the circle: 60 degrees 1, 90 degrees 2, 120 degrees 3, 180 degrees 4."""

    def test_the_nearest_negative_beyond_the_positive_is_taken(self) -> None:
        # The anchor at 0 has its positive at 1, negatives at 2 and 4; the one at 60 (its positive at 1) has them at
        # 0.27 (30 degrees, nearer than the positive and so not taken) and 3.
        loss = triplet(circle(0, 60, 90, 180), labels(1, 1, 2, 3), margin=3.0)
        assert float(loss) == pytest.approx(((1 - 2 + 3) + (1 - 3 + 3)) / 2)

    def test_beyond_the_margin_it_costs_nothing(self) -> None:
        assert float(triplet(circle(0, 0, 90), labels(1, 1, 2), margin=0.2)) == 0.0
        # Of the two triplets, only the one of the anchor at 60 costs: |a - n|² is 1 + 0.05.
        near = math.degrees(math.acos(1 - 1.05 / 2))
        loss = triplet(circle(0, 60, 60 + near), labels(1, 1, 2), margin=0.2)
        assert float(loss) == pytest.approx(1 - 1.05 + 0.2)

    def test_where_all_negatives_are_nearer_the_farthest_stands_in(self) -> None:
        # Both anchors have their positive at 4; the negatives are at 1 and 2, and at 3 and 2.
        loss = triplet(circle(0, 180, 60, 270), labels(1, 1, 2, 3), margin=0.2)
        assert float(loss) == pytest.approx(((4 - 2 + 0.2) + (4 - 3 + 0.2)) / 2)

    def test_a_neutral_negative_is_passed_over(self) -> None:
        vectors, songs = circle(0, 0, 60, 90), labels(1, 1, 2, 3)
        assert float(triplet(vectors, songs, 1.5)) == pytest.approx(0.5)
        assert float(triplet(vectors, songs, 2.5, neutral=labels(7, 7, 7, 8))) == pytest.approx(0.5)

    def test_without_a_positive_or_a_negative_there_is_nothing_to_learn(self) -> None:
        for songs, albums in (((1, 2, 3), None), ((1, 1, 1), None), ((1, 1, 2), labels(7, 7, 7))):
            vectors = circle(0, 50, 90).requires_grad_()
            loss = triplet(vectors, labels(*songs), neutral=albums)
            torch.autograd.backward(loss)
            assert float(loss.detach()) == 0.0
            assert vectors.grad is not None
            assert vectors.grad.abs().max() == 0.0


class TestContrastiveByHand:
    """Distances on the circle: 60 degrees 1, 90 degrees √2, 120 degrees √3, 180 degrees 2."""

    def test_a_pair_and_a_stranger(self) -> None:
        # Positives at 1; the stranger at √3 from the first, at 1 from the second.
        loss = contrastive(circle(0, 60, 120), labels(1, 1, 2), margin=2.0)
        assert float(loss) == pytest.approx(0.5 + ((2 - math.sqrt(3)) ** 2 / 2 + (2 - 1) ** 2 / 2) / 2)

    def test_negatives_beyond_the_margin_do_not_dilute_those_within(self) -> None:
        loss = contrastive(circle(0, 60, 180, 270), labels(1, 2, 3, 4), margin=1.2)
        assert float(loss) == pytest.approx(0.2**2 / 2)

    def test_neutral_pairs_do_not_count(self) -> None:
        vectors, songs = circle(0, 0, 60), labels(1, 1, 2)
        assert float(contrastive(vectors, songs, 2.0)) == pytest.approx(0.5)
        assert float(contrastive(vectors, songs, 2.0, neutral=labels(7, 7, 7))) == 0.0


class TestAgainstMetricLearning:
    """Musgrave et al. 2020, whose miners and losses name pairs and triplets by index."""

    @pytest.fixture
    def library(self) -> Any:
        return pytest.importorskip("pytorch_metric_learning", reason="pytorch-metric-learning is the oracle here")

    @pytest.fixture
    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Windows of 12 songs, close enough for triplets of all kinds."""
        torch.manual_seed(0)
        songs = torch.arange(12).repeat_interleave(4)
        points = torch.randn(12, 16, dtype=torch.float64)[songs] + torch.randn(48, 16, dtype=torch.float64)
        return torch.nn.functional.normalize(points, dim=1), songs

    @pytest.mark.usefixtures("library")
    def test_supcon(self, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
        from pytorch_metric_learning.losses import SupConLoss

        expected = SupConLoss(temperature=0.1)(*batch)
        assert float(supervised_contrastive(*batch, 0.1)) == pytest.approx(float(expected), rel=1e-9)

    @pytest.mark.usefixtures("library")
    def test_supcon_with_neutral_pairs(self, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
        from pytorch_metric_learning.losses import SupConLoss

        vectors, songs = batch
        same, album = songs[:, None] == songs[None, :], songs[:, None] // 3 == songs[None, :] // 3
        positives = (same & ~torch.eye(48, dtype=torch.bool)).nonzero(as_tuple=True)
        negatives = (~album).nonzero(as_tuple=True)
        expected = SupConLoss(temperature=0.1)(vectors, indices_tuple=(*positives, *negatives))
        found = supervised_contrastive(vectors, songs, 0.1, neutral=songs // 3)
        assert float(found) == pytest.approx(float(expected), rel=1e-9)

    @pytest.mark.usefixtures("library")
    @pytest.mark.parametrize("margin", [0.05, 0.2, 0.6])
    def test_triplet(self, batch: tuple[torch.Tensor, torch.Tensor], margin: float) -> None:
        """Its miner gives all semi-hard triplets; of each anchor and positive, the hardest is ours.

        No positive here is farther than all negatives, which its miner would pass over.
        """
        from pytorch_metric_learning.distances import LpDistance
        from pytorch_metric_learning.losses import TripletMarginLoss
        from pytorch_metric_learning.miners import TripletMarginMiner

        vectors, songs = batch
        squared = LpDistance(power=2)
        mined = TripletMarginMiner(margin=margin, type_of_triplets="semihard", distance=squared)(vectors, songs)
        distances = squared(vectors)
        hardest: dict[tuple[int, int], int] = {}
        for a, p, n in zip(*(each.tolist() for each in mined), strict=True):
            if (a, p) not in hardest or distances[a, n] < distances[a, hardest[a, p]]:
                hardest[a, p] = n
        assert len(hardest) > 10
        chosen = torch.tensor([(a, p, n) for (a, p), n in hardest.items()]).unbind(dim=1)
        expected = TripletMarginLoss(margin=margin, distance=squared)(vectors, songs, chosen)
        assert float(triplet(vectors, songs, margin)) == pytest.approx(float(expected), rel=1e-6)

    @pytest.mark.usefixtures("library")
    @pytest.mark.parametrize("margin", [0.8, 1.5])
    def test_contrastive(self, batch: tuple[torch.Tensor, torch.Tensor], margin: float) -> None:
        """Its hinges are not squared; they are, pair by pair, the distances that ours squares."""
        from pytorch_metric_learning.distances import LpDistance
        from pytorch_metric_learning.losses import ContrastiveLoss
        from pytorch_metric_learning.reducers import DoNothingReducer

        hinges = ContrastiveLoss(0.0, margin, distance=LpDistance(), reducer=DoNothingReducer())(*batch)
        drawn, driven = hinges["pos_loss"]["losses"], hinges["neg_loss"]["losses"]
        assert 0 < int((driven > 0).sum()) < len(driven)
        expected = 0.5 * drawn.square().mean() + 0.5 * driven[driven > 0].square().mean()
        assert float(contrastive(*batch, margin)) == pytest.approx(float(expected), rel=1e-6)


CASES = st.integers(2, 10).flatmap(
    lambda size: st.tuples(
        st.lists(st.integers(0, 4), min_size=size, max_size=size),
        st.booleans(),
        st.sampled_from([0.05, 0.1, 1.0]),
        st.integers(0, 1000),
    )
)


@given(CASES)
def test_they_are_the_formulas(case: tuple[list[int], bool, float, int]) -> None:
    songs, with_albums, temperature, seed = case
    albums = [song // 2 for song in songs] if with_albums else None
    vectors = np.random.default_rng(seed).standard_normal((len(songs), 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    points, numbers, neutral = torch.from_numpy(vectors), labels(*songs), None if albums is None else labels(*albums)
    found = {
        "supcon": supervised_contrastive(points, numbers, temperature, neutral),
        "triplet": triplet(points, numbers, 0.2 + temperature, neutral),
        "contrastive": contrastive(points, numbers, 1.0 + temperature, neutral),
    }
    expected = {
        "supcon": slow(vectors, songs, temperature, albums),
        "triplet": slow_triplet(vectors, songs, 0.2 + temperature, albums),
        "contrastive": slow_contrastive(vectors, songs, 1.0 + temperature, albums),
    }
    assert {name: float(loss) for name, loss in found.items()} == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("loss", [supervised_contrastive, triplet, contrastive])
@given(CASES)
def test_gradients_are_finite(loss: Any, case: tuple[list[int], bool, float, int]) -> None:
    songs, with_albums, setting, seed = case
    torch.manual_seed(seed)
    points = torch.nn.functional.normalize(torch.randn(len(songs), 4), dim=1)
    points[len(songs) // 2] = points[0]  # two at the same place
    vectors = points.requires_grad_()
    neutral = labels(*(song // 2 for song in songs)) if with_albums else None
    torch.autograd.backward(loss(vectors, labels(*songs), setting, neutral))
    assert vectors.grad is not None
    assert torch.isfinite(vectors.grad).all()


@pytest.mark.parametrize(("loss", "setting"), [(supervised_contrastive, 0.5), (triplet, 1.5), (contrastive, 1.5)])
def test_a_step_down_draws_together_what_belongs_together(loss: Any, setting: float) -> None:
    vectors = circle(0, 40, 60, 100).requires_grad_()
    songs = labels(1, 2, 1, 2)
    torch.autograd.backward(loss(vectors, songs, setting))
    assert vectors.grad is not None
    moved = torch.nn.functional.normalize(vectors.detach() - 0.05 * vectors.grad, dim=1)
    worse = loss(vectors.detach(), songs, setting)
    assert float(loss(moved, songs, setting)) < float(worse)
    before, after = vectors.detach() @ vectors.detach().T, moved @ moved.T
    assert after[0, 2] > before[0, 2]
    assert after[1, 3] > before[1, 3]
