"""Music to train on: songs with their labels, their features in a cache, the split, and batches of views.

In: settings, a folder or a library. Out: `TrainingData`, `WindowSet`. Audio is decoded in child processes alone.
"""
