"""Train networks: settings, data, augmentation, learning, tuning, results and the commands for it.

In: music and settings. Out: a run's folder, and from it an exported model. Needs the `train` extra; nothing that embeds
or queries may import it.
"""
