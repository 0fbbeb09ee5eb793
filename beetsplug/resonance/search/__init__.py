"""A search request to the tracks of the library that fit it best.

request -> session -> seeds -> filters -> finder -> explanations. Nothing here prints or writes.
"""
