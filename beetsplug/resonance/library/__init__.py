"""The beets library and the store, kept in step.

In: items, events and import tasks. Out: rows of the store, the difference between both, models and metadata. Nothing
here writes to the library.
"""
