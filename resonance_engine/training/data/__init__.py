"""Songs to batches of feature windows.

In: a library or a folder of music. Out: labelled songs, disjoint splits, cached features, training windows.
"""
