"""Neighbours to an ordered list.

In: candidate tracks with vectors and closeness, rules and a course. Out: a playing order, a recipe, an M3U file.
Nothing here knows where the candidates come from.
"""
