"""A small synthesised music library, and a tour of Resonance on it: `make demo`.

Everything that it writes lies in one folder; the user's configuration, library and music are never changed.
"""
