"""Train heads and gates from their closed form, by supervised contrastive learning on the backbones' activations.

The backbones stay as they are, so a song costs a few multiplications and all five folds take a minute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from resonance_engine.training.learning.losses import supervised_contrastive
from training.default_model.heads import FAINTEST, facet_slices, projection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from resonance_engine.network.model import ResonanceNetwork
    from training.default_model.recipe import ModelRecipe

VIEWS = 2


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
