"""A music collection over HTTP: an API, a page, audio and covers, for a beets library or a catalog."""
