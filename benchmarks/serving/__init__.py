"""Load on the server of `beet resonance serve`."""
