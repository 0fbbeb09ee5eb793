"""How good a ranking is: retrieval metrics, hubness and their intervals, on numpy arrays alone."""
