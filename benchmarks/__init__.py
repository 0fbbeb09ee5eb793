"""Benchmarks of quality, speed, memory and code, on top of the product and of `resonance_engine.evaluation`.

Each module prints its numbers; nothing of the product or of `training` imports them.
"""
