"""The commands of training: each module has `configure`, which adds its options to a parser, and `run`.

A command parses, calls and prints; importing one, or `configure`, loads the standard library alone.
"""
