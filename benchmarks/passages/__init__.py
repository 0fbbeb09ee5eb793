"""Measure how well passages are found: made cases, and pairs of unrelated tracks.

    python -m benchmarks.passages ~/.cache/resonance-corpus --cache FOLDER [--tracks 80] [--cases 24]

In: a folder of music with its manifest.tsv. Out: hit rates by distortion, without and with hits at repeats, and false
alarms per 1,000 pairs, with Clopper-Pearson intervals, for the half of the soundtracks that thresholds are chosen on
and for the other.
"""
