"""Fit weights of similarities to choices: conditional logit (McFadden 1974) with a ridge towards the base weights.

Of the tracks of a choice, the first was chosen with probability softmax(w · similarities). The weights are
w = scale · base + change; the scale is free, the change is penalised, so that few choices change little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Choices = NDArray[np.float64]  # (choices, tracks, p): the chosen one first

STEPS = 30
TOLERANCE = 1e-5
SHORTEST = 1e-3  # of a step
SMALLEST_SCALE = 0.01
SCALE_RIDGE = 1e-4


class FittedWeights(NamedTuple):
    """Weights (p,), the scale of the base weights in them, and the covariance (p, p) of their posterior (Laplace)."""

    weights: Array
    scale: float
    covariance: Array


def fit_weights(choices: Choices, base: Array, ridge: float | Array) -> FittedWeights:
    """Fit the weights to choices (c, t, p) by Newton's method; the loss is convex.

    The `ridge` is one number or one for each weight (p,). With an infinite one the base weights are scaled, and no
    more. Their scale stays positive: what a listener puts together is never the least similar.
    """
    size = len(base)
    values = np.concatenate([choices @ base[:, None], choices], axis=2)  # of scale and change
    penalty = np.concatenate([[SCALE_RIDGE], np.broadcast_to(ridge, size)])
    free = np.isfinite(penalty)
    penalty = np.where(free, penalty, 0.0)
    start = np.eye(1, size + 1)[0]
    parameters = start
    hessian = np.eye(size + 1)
    for _ in range(STEPS):
        gradient, hessian = differentiate(values, parameters)
        gradient += penalty * (parameters - start)
        hessian += np.diag(penalty)
        step = np.zeros(size + 1)
        step[free] = np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
        if parameters[0] - step[0] < SMALLEST_SCALE:
            step[0], rest = parameters[0] - SMALLEST_SCALE, np.flatnonzero(free)[1:]
            step[rest] = np.linalg.solve(hessian[np.ix_(rest, rest)], gradient[rest] - hessian[rest, 0] * step[0])
        before, length = penalised_loss(values, parameters, penalty, start), 1.0
        # A full step may go too far where choices are few.
        while length > SHORTEST and penalised_loss(values, parameters - length * step, penalty, start) > before:
            length /= 2
        parameters = parameters - length * step
        if np.abs(step).max() < TOLERANCE:
            break
    inverse = np.zeros((size + 1, size + 1))
    inverse[np.ix_(free, free)] = np.linalg.inv(hessian[np.ix_(free, free)])
    design = np.concatenate([base[:, None], np.eye(size)], axis=1)
    return FittedWeights(design @ parameters, float(parameters[0]), design @ inverse @ design.T)


def differentiate(values: Choices, parameters: Array) -> tuple[Array, Array]:
    """Return gradient (k,) and Hessian (k, k) of the loss of choices (c, t, k) in the parameters (k,)."""
    chances = softmax(values @ parameters)
    flat = values.reshape(-1, values.shape[2])
    mean = np.einsum("ct,ctk->ck", chances, values)
    second = (flat * chances.reshape(-1, 1)).T @ flat
    return (mean - values[:, 0]).sum(axis=0), second - mean.T @ mean


def penalised_loss(values: Choices, parameters: Array, penalty: Array, start: Array) -> float:
    return float(choice_losses(values, parameters).sum() + (penalty * (parameters - start) ** 2).sum() / 2)


def choice_losses(choices: Choices, weights: Array) -> Array:
    """Return the negative log-likelihood (c,) of each choice."""
    scores = choices @ weights
    highest = scores.max(axis=1)
    return np.asarray(highest + np.log(np.exp(scores - highest[:, None]).sum(axis=1)) - scores[:, 0])


def softmax(scores: Array) -> Array:
    """Return the softmax of scores (c, t) along the last axis."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
