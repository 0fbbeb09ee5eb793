"""Tags of tracks by those of their neighbours: suggestions, their precision, and tracks that disagree.

In go embeddings, names of artists and albums, and labels such as genres; out come shares of votes, suggestions that
abstain below a confidence, their precision with artists left out, and outliers with evidence. Pure computation on
arrays; nothing here reads a library.
"""
