"""A playlist request to an ordered list of items.

request -> candidates -> builder, and refresh for a list that was built before. Nothing here prints or writes files.
"""
