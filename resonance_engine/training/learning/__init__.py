"""Train a network: losses, optimizer steps, the loop, devices, processes, and resuming after a stop.

In: a network and a `WindowSet`. Out: trained weights and a log. Nothing here reads audio.
"""
