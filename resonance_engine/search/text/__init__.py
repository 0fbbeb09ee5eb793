"""Texts about music to scores of recordings.

In: a text such as "upbeat pop, no vocals", the tag probabilities and attributes of recordings. Out: how well each
recording fits each phrase. A fixed table of synonyms, no language model.
"""
