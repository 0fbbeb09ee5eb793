"""Which songs are learned from, what of them belongs together, and which are held out."""
