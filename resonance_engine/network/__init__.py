"""The network in PyTorch: backbones, fusion, the whole model, its files. Only training and the torch backend load it."""
