"""The network in PyTorch: features of windows in, embeddings out; its files and its export to ONNX.

Only training and the torch backend load it: nothing else may import PyTorch.
"""
