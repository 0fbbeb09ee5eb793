"""Evaluate a trained network: embeddings, validation, comparison, parity of its export, figures and its card.

In: a network and held-out windows. Out: numbers, PNG and Markdown. The metrics themselves are in `evaluation`.
"""
