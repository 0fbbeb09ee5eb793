"""Audio, features and encoder in a child process, with a time limit and a memory limit per file.

In: paths. Out: content keys, embeddings and attributes, or one error per file. Parent and child exchange JSON headers
and arrays over pipes, never pickles; nothing here writes to a store.
"""
