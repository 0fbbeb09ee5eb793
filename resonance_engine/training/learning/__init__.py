"""From batches to weights: losses, steps, the loop, devices, processes, and going on after a stop."""
