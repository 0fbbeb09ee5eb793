"""Embeddings to a map: a 2-D projection, clusters with names, a page and a picture of them.

In come unit vectors of tracks and what is shown of these; out go coordinates, labels, one HTML page without network, a
PNG. New vectors are placed among mapped ones, which stay where they are. The projection and the picture need the extra
`viz`, which is loaded by the functions that use it alone.
"""
