"""Compare the neighbours of Resonance with those of other systems on the same files and pools.

In go a folder of soundtracks and models, out come tables; nothing of the product imports this.
"""
