"""Neighbours -> an ordered list: one that stays close to its seeds, a path between tracks, an arc over an attribute."""
