"""The beets library as the collection that the engine's server answers about."""
