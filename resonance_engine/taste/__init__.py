"""What a listener puts together: weights of facets, era and principal axes, learned from lists, plays and answers.

In go vectors and years of tracks and choices among them, out come weights with a verdict; nothing is analysed again.
"""
