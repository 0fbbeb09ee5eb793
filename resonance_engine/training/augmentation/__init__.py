"""Augmentation: differences between two views of the same music, on features and on audio.

In: windows of samples or features, and a random generator. Out: arrays of the same shape. Loads no PyTorch.
"""
