"""The commands that the plugin adds to `beet`: each parses options, calls a function below and prints.

In: options and words of a query. Out: lines, JSON, files that the user named. What is not about options or printing
belongs to a room below.
"""
