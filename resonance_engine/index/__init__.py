"""Vectors by id and the exact nearest of them, by FAISS or numpy, and the files that hold them between commands.

In: vector ids and unit vectors of the store. Out: inner products, neighbours, first and second moments. An index is a
copy: whatever is wrong with one, it is built again from the store, which stays the only truth.
"""
