"""Seeds to ranked neighbours.

In: an index, seed vectors and a ranking. Out: scored candidates after feedback, hubness correction, caps, versions and
diversity, with a reason for each rejection. Pure computation on arrays and descriptions; nothing here reads a library.
"""
