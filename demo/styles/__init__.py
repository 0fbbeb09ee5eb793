"""One module per style; each composes a song from a random generator, a length and an artist's character."""
