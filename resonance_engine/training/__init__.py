"""Metric learning: cached features, losses, the training loop. Loaded by training alone (PyTorch)."""
