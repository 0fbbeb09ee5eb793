"""The training commands: each module has `configure`, which adds its options to a parser, and `run`."""
