"""The styles of the demo's music: `compose(rng, seconds, character)` in each module returns a `Composition`."""
