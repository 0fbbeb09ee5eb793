"""Analyse files on many machines, as tasks of a Dask cluster; every file in a child process of its own there.

In: paths, or the files themselves. Out: what `worker` gives. Tasks and results are encoded messages of the worker's
protocol. Needs the extra `cluster`, which only opening a connection loads.
"""
