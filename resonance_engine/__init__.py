"""Find music that sounds alike.

    audio -> features -> encoder -> store -> index -> search -> playlist

Every module is one step of that line and knows nothing of beets.
"""

__version__ = "0.1.0"
