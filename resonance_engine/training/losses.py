"""Losses over unit vectors whose labels say what belongs together."""

from __future__ import annotations

import torch
from torch import Tensor


def supervised_contrastive(
    embeddings: Tensor, labels: Tensor, temperature: float = 0.05, neutral: Tensor | None = None
) -> Tensor:
    """SupCon (Khosla et al. 2020, L_out): every vector is drawn to those of its label and away from all others.

    `embeddings` (n, d) of length one, `labels` (n,). For each anchor i with positives P(i), the mean over p in P(i) of
    -log(exp(e_i·e_p / τ) / sum over a ≠ i of exp(e_i·e_a / τ)); anchors without a positive do not count, and without
    any positive the loss is zero. `neutral` labels (n,), coarser than `labels`, leave pairs that share them, and are
    not positives, out of the sum: songs of one album are neither drawn together nor driven apart.
    """
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    positive = (labels[:, None] == labels[None, :]) & ~itself
    left_out = itself
    if neutral is not None:
        left_out = (neutral[:, None] == neutral[None, :]) & ~positive
    logits = (embeddings @ embeddings.T / temperature).masked_fill(left_out, -torch.inf)
    counts = positive.sum(dim=1)
    anchors = counts > 0
    if not bool(anchors.any()):
        return embeddings.sum() * 0.0
    log_share = logits[anchors] - logits[anchors].logsumexp(dim=1, keepdim=True)
    per_anchor = -log_share.masked_fill(~positive[anchors], 0.0).sum(dim=1) / counts[anchors]
    return per_anchor.mean()
