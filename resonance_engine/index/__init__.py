"""Vectors by id, the nearest of them by FAISS or numpy, and their files between commands.

In: vector ids and unit vectors of the store. Out: inner products, neighbours, first and second moments. An index is a
copy: whatever is wrong with one, it is built again from the store, which stays the only truth.
"""
