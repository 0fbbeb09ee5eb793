"""Recall and false groups of duplicates: altered copies of a corpus, and pairs that are hard to tell apart."""
