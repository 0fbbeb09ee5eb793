"""Evaluate taggers on recordings of which instruments, voices and sounds are known.

In go the corpus, speech of Debian's packages and synthesised sound; out come annotated tracks, thresholds and tables.
"""
