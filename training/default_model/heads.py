"""Heads in closed form: projections by within-class covariance normalisation, and constant gates.

A modality's activations are standardised, rotated to their principal axes, and normalised by their covariance within
soundtracks (Hatch, Kajarekar & Stolcke 2006), shrunk towards the identity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg
import torch
from torch import nn
from torch.nn import functional

from resonance_engine.network.model import GatedAdd
from resonance_engine.training.learning.losses import supervised_contrastive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from resonance_engine.network.model import ResonanceNetwork
    from resonance_engine.training.data.dataset import WindowSet
    from training.default_model.recipe import FacetRecipe, ModelRecipe

    Array = NDArray[np.float64]


BATCH = 8
FAINTEST = 1e-3  # the deviation below which an activation counts as none, and stays so
VIEWS = 2


def projection(backbone: nn.Module) -> nn.Linear:
    """Return the layer that projects a backbone's activations to a facet."""
    layer = backbone.project
    assert isinstance(layer, nn.Linear)
    return layer


def pooled_activations(backbone: nn.Module, name: str, windows: WindowSet) -> NDArray[np.float32]:
    """Return the inputs of a backbone's projection (windows, length) for the windows' features of this name."""
    batches: list[NDArray[np.float32]] = []

    def record(_projection: nn.Module, inputs: tuple[Tensor, ...], _facet: Tensor) -> None:
        batches.append(inputs[0].numpy())

    hook = projection(backbone).register_forward_hook(record)
    count = len(windows.song)
    with torch.inference_mode():
        for at in range(0, count, BATCH):
            backbone(torch.from_numpy(windows.rows(np.arange(at, min(at + BATCH, count)))[name]))
    hook.remove()
    return np.concatenate(batches)


def facet_slices(parts: Mapping[str, FacetRecipe]) -> dict[str, slice]:
    """Return the slice of the embedding of each modality."""
    ends = np.cumsum([part.width for part in parts.values()])
    return {name: slice(int(end) - part.width, int(end)) for (name, part), end in zip(parts.items(), ends, strict=True)}


def set_heads(
    network: ResonanceNetwork,
    activations: Mapping[str, NDArray[np.float32]],
    group: NDArray[np.intp],
    parts: Mapping[str, FacetRecipe],
    copies: Sequence[Mapping[str, NDArray[np.float32]]] = (),
) -> None:
    """Set projections and gates from the activations (windows, length) of each modality and the windows' groups.

    `copies` are the activations of the same windows of copies, one kind each.
    """
    with torch.no_grad():
        for name, where in facet_slices(parts).items():
            altered = [each[name].astype(np.float64) for each in copies] if parts[name].copies else []
            matrix, offset = fit_head(activations[name].astype(np.float64), group, parts[name], altered)
            project = projection(network.backbones[name])
            project.weight.zero_()
            project.bias.zero_()
            project.weight[where] = torch.from_numpy(matrix.T.astype(np.float32))
            project.bias[where] = torch.from_numpy(offset.astype(np.float32))
        gates = np.sqrt([parts[name].share for name in network.modalities])
        gates /= gates.sum()
        fusion = network.fusion
        assert isinstance(fusion, GatedAdd)
        fusion.gates.weight.zero_()
        fusion.gates.bias.copy_(torch.from_numpy(np.log(gates / (1 - gates))))


def fit_head(
    activations: Array, group: NDArray[np.intp], part: FacetRecipe, copies: Sequence[Array] = ()
) -> tuple[Array, Array]:
    """Return the matrix (length, width) and offset (width,) of a modality's projection.

    `copies` are the activations of the same windows of copies, one kind each.
    """
    mean, deviation = activations.mean(axis=0), np.maximum(activations.std(axis=0), FAINTEST)
    scaled = (activations - mean) / deviation
    axes = principal_axes(scaled, part.width)
    changes = [np.sqrt(part.copies) * ((each - activations) / deviation) @ axes for each in copies]
    matrix = axes @ whitening(scaled @ axes, group, part.shrinkage, changes)
    matrix /= deviation[:, None]
    return matrix, -mean @ matrix


def principal_axes(values: Array, count: int) -> Array:
    """Return the directions (d, count) in which values (n, d), n >= count, vary most, the strongest last.

    Of more dimensions than values, by way of the values' inner products: the same directions, at n³ instead of d³.
    """
    rows, size = values.shape
    if size <= rows:
        return np.asarray(scipy.linalg.eigh(values.T @ values, subset_by_index=[size - count, size - 1])[1])
    squares, weights = scipy.linalg.eigh(values @ values.T, subset_by_index=[rows - count, rows - 1])
    return np.asarray(values.T @ (weights / np.sqrt(np.maximum(squares, np.finfo(np.float64).tiny))))


def whitening(values: Array, group: NDArray[np.intp], shrinkage: float, changes: Sequence[Array] = ()) -> Array:
    """Return (S + λ)^-½ (d, d) for the within-group scatter S of values (n, d), scaled to a mean variance of 1.

    `changes`, each (n, d), are differences that shall not matter; they are added to the scatter.
    """
    members = np.unique(group, return_inverse=True)[1]
    sums = np.zeros((members.max() + 1, values.shape[1]))
    np.add.at(sums, members, values)
    centred = values - (sums / np.bincount(members)[:, None])[members]
    scatter = centred.T @ centred
    unit = len(scatter) / np.trace(scatter)
    scatter = (scatter + sum(each.T @ each for each in changes)) * unit
    variances, directions = np.linalg.eigh(scatter)
    return np.asarray((directions / np.sqrt(np.maximum(variances, 0) + shrinkage)) @ directions.T)


def forward(network: ResonanceNetwork, activations: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Return embedding, facets and gates for the activations of each modality."""
    facets = torch.stack(
        [
            functional.normalize(projection(network.backbones[name])(activations[name]), dim=1)
            for name in network.modalities
        ],
        dim=1,
    )
    embedding, gates = network.fusion(facets)
    return embedding, facets, gates


def tune(
    network: ResonanceNetwork,
    activations: Mapping[str, NDArray[np.float32]],
    song: NDArray[np.intp],
    group: NDArray[np.intp],
    artist: NDArray[np.intp],
    recipe: ModelRecipe,
) -> list[float]:
    """Train projections and gates on windows whose `song` is numbered; return the epochs' losses.

    `group` and `artist` (songs,) number soundtracks and artists, each unknown artist by itself. The windows of one
    soundtrack belong together, those of one artist, and those of one song; other songs of a song's own soundtrack are
    neutral to it. Each modality keeps to its own block of the embedding.
    """
    tensors = standardise_inputs(network, activations)
    rng = np.random.default_rng(recipe.seed)
    projections = [projection(network.backbones[name]) for name in network.modalities]
    optimizer = torch.optim.AdamW(
        [
            {"params": [each for layer in projections for each in layer.parameters()], "lr": recipe.lr},
            {"params": list(network.fusion.parameters()), "lr": recipe.lr * recipe.gate_speed},
        ],
        weight_decay=recipe.weight_decay,
    )
    songs = np.unique(song)
    steps = max(1, len(songs) // recipe.batch_songs)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs * steps)
    rows = {each: np.flatnonzero(song == each) for each in songs}
    losses = []
    for _ in range(recipe.epochs):
        order = rng.permutation(songs)
        total = 0.0
        for step in range(steps):
            batch = np.repeat(order[step * recipe.batch_songs : (step + 1) * recipe.batch_songs], VIEWS)
            sampled = [int(rng.choice(rows[each])) for each in batch]
            embedding, *_ = forward(network, {name: values[sampled] for name, values in tensors.items()})
            of_song, of_group, of_artist = (torch.from_numpy(each) for each in (batch, group[batch], artist[batch]))
            loss = (
                supervised_contrastive(embedding, of_group, recipe.temperature, neutral=of_artist)
                + recipe.artist_weight * supervised_contrastive(embedding, of_artist, recipe.temperature)
                + recipe.song_weight * supervised_contrastive(embedding, of_song, recipe.temperature, neutral=of_group)
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call] # torch gives none
            mask_gradients(network, recipe)
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        losses.append(total / steps)
    restore_inputs(network, activations)
    return losses


def mask_gradients(network: ResonanceNetwork, recipe: ModelRecipe) -> None:
    """Zero the gradients outside each facet's block."""
    for name, where in facet_slices(recipe.parts).items():
        for parameter in projection(network.backbones[name]).parameters():
            assert parameter.grad is not None
            outside = torch.ones(len(parameter), dtype=torch.bool)
            outside[where] = False
            parameter.grad[outside] = 0


def moments(values: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(values.mean(axis=0)), torch.from_numpy(np.maximum(values.std(axis=0), FAINTEST))


def standardise_inputs(network: ResonanceNetwork, activations: Mapping[str, NDArray[np.float32]]) -> dict[str, Tensor]:
    """Standardise the activations and adapt the projections to them, so that one learning rate suits all."""
    tensors = {}
    for name in network.modalities:
        mean, deviation = moments(activations[name])
        tensors[name] = (torch.from_numpy(activations[name]) - mean) / deviation
        project = projection(network.backbones[name])
        with torch.no_grad():
            project.bias.add_(project.weight @ mean)
            project.weight.mul_(deviation)
    return tensors


def restore_inputs(network: ResonanceNetwork, activations: Mapping[str, NDArray[np.float32]]) -> None:
    """Adapt the projections to the activations as they were."""
    for name in network.modalities:
        mean, deviation = moments(activations[name])
        project = projection(network.backbones[name])
        with torch.no_grad():
            project.weight.div_(deviation)
            project.bias.sub_(project.weight @ mean)
