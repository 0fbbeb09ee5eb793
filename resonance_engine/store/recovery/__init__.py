"""Check a sidecar, repair it by deleting what can be computed again, and salvage the rows of a file beyond repair.

In: a store, or the path of a file that SQLite can't open. Out: sentences about what is wrong or was done. Nothing here
is loaded by a query or an import.
"""
