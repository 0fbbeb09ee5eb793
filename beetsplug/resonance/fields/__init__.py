"""Similarity and measured attributes in beets' query language and templates.

In: queries and items as beets hands them over. Out: ids, numbers and texts. Nothing here prints or writes.
"""
