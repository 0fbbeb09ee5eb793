"""Features of songs: measured once, cached, served in batches of views."""
