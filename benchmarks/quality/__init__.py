"""How good the neighbours are that Resonance finds, beside other systems on the same files and pools."""
