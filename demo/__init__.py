"""A small synthesised music library, and a tour of Resonance on it: `make demo`."""
