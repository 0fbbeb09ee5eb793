"""The fit of weights to choices: the least penalised loss, as any step away from it shows."""

from __future__ import annotations

import numpy as np
import pytest

from resonance_engine.taste.fit import SMALLEST_SCALE, choice_losses, fit_weights

BASE = np.array([1.0, 0.5, 0.0])


def make_choices(weights: list[float], count: int = 200) -> np.ndarray:
    """Choices among five tracks by known weights, the chosen one first."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((count, 5, 3))
    chosen = (values @ np.array(weights) + rng.gumbel(size=(count, 5))).argmax(axis=1)
    for row, place in enumerate(chosen):
        values[row, [0, place]] = values[row, [place, 0]]
    return values


def test_weights_that_made_the_choices_are_found() -> None:
    fitted = fit_weights(make_choices([0.0, 2.0, 1.0], 3000), BASE, 0.01)
    np.testing.assert_allclose(fitted.weights, [0.0, 2.0, 1.0], atol=0.15)


@pytest.mark.parametrize("ridge", [0.1, 10.0, np.array([1.0, 10.0, 100.0])])
def test_no_step_away_has_a_smaller_loss(ridge: float | np.ndarray) -> None:
    choices = make_choices([0.5, -1.0, 1.5])
    fitted = fit_weights(choices, BASE, ridge)

    def penalised(scale: float, weights: np.ndarray) -> float:
        change = weights - scale * BASE
        return float(
            choice_losses(choices, weights).sum() + (ridge * change**2).sum() / 2 + 1e-4 * (scale - 1) ** 2 / 2
        )

    least = penalised(fitted.scale, fitted.weights)
    rng = np.random.default_rng(1)
    for _ in range(50):
        step = 0.02 * rng.standard_normal(4)
        step[0] = max(step[0], SMALLEST_SCALE - fitted.scale)
        assert penalised(fitted.scale + step[0], fitted.weights + step[1:]) > least - 1e-6


def test_an_infinite_ridge_keeps_the_base_but_for_its_scale() -> None:
    fitted = fit_weights(make_choices([0.0, 2.0, 1.0]), BASE, np.inf)
    np.testing.assert_allclose(fitted.weights, fitted.scale * BASE)
    assert np.linalg.matrix_rank(fitted.covariance) == 1


def test_the_scale_of_the_base_stays_positive() -> None:
    fitted = fit_weights(make_choices([-2.0, -1.0, 0.0]), BASE, np.inf)
    assert fitted.scale == pytest.approx(SMALLEST_SCALE)


def test_without_choices_nothing_is_learned() -> None:
    fitted = fit_weights(np.zeros((0, 2, 3)), BASE, 10.0)
    np.testing.assert_allclose(fitted.weights, BASE)


def test_more_choices_leave_less_doubt() -> None:
    few, many = (fit_weights(make_choices([0.0, 1.0, 1.0], count), BASE, 1.0) for count in (20, 2000))
    assert (np.diag(many.covariance) < np.diag(few.covariance)).all()
