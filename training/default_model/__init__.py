"""The recipe of the model that Resonance ships: from the corpus to weights and ONNX files.

In go Debian's soundtracks and a published network, out come the model and those of its five folds; nothing here
imports benchmarks.
"""
