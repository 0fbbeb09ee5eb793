"""Players that are running: MPD's queue, and a radio that keeps it filled.

mpd_settings -> mpd_queue -> radio. Nothing here removes a song from a queue, and only what the user starts connects.
"""
