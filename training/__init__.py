"""The `python -m training.NAME` scripts that a user runs on a library, and the recipe of the shipped model."""
