"""Analysis beside the user's work: a process that outlives the import which asked for it, and the terminal.

    import, `analyze --background`, `resume`  ->  start    counts the request and starts `run`
    run  ->  runner    takes the lock, analyses while it may, and says in the store what it does
    `pause`, `resume`, `stop`, a foreground analysis  ->  board    the rows of the store that a runner looks at

What is pending is always the library minus the store; nothing here is a queue.
"""
