"""Files to analyses on many machines, as tasks of a Dask cluster.

In: paths, or the files themselves. Out: what `worker` gives, from a child process of it on another machine. Tasks and
results are encoded messages of its protocol. Needs the extra `cluster`, which only opening a connection loads.
"""
