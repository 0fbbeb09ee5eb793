"""The network in PyTorch: backbones, fusion, model, files. Only training and the torch backend load it."""
