"""Feature arrays to embeddings, by an ONNX session.

In: feature arrays of windows and the path of a model. Out: the embedding of a track with facets, gates and tags. A
model file is checked before it is loaded; PyTorch is loaded only where a checkpoint is named.
"""
