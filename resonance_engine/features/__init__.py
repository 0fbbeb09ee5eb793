"""Windows of samples to feature arrays.

In: windows (n, samples) of float32. Out: one array per modality, as its spec says, and the attributes tempo, key,
energy and brightness. One module per modality; nothing here opens a file or runs a model.
"""
