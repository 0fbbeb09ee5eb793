"""Find the best settings: short trainings chosen by Optuna, then the best ones in full.

In: settings, a search space and `TrainingData`. Out: a folder of runs with the winner in `best/`.
"""
