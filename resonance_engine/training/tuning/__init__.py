"""Which settings are best: short trainings by Optuna, then the best ones in full."""
