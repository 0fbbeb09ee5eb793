"""Files that carry analyses from one machine to another.

In: the embeddings, windows, facets, gates, tags, attributes and dense windows of recordings, by content key. Out: the
same, to the byte, from a NumPy archive that names the model; one that is damaged or made up is refused in a sentence.
"""
