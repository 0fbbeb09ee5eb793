"""Analysis beside the user's work: a process that outlives the terminal and the import.

    import, `analyze --background`, `resume`  ->  job_state    counts the request and starts `__main__`
    __main__  ->  monitor    takes the lock of process_lock, analyses while it may, and notes its progress in the store
    `pause`, `resume`, `stop`, a foreground analysis  ->  job_state    the rows of the store that a worker monitors

What is pending is always the library minus the store; nothing here is a queue, and nothing writes to the library.
"""
