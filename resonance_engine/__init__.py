"""Find music that sounds alike.

    audio -> features -> encoder -> store -> index -> search -> playlist

Each step is a package that gets arrays and records and returns others; beside them stand what runs, trains and
evaluates the line. In: audio files. Out: embeddings, neighbours, playlists. Nothing here knows of beets.
"""

import os

# From 1.29 on, onnxruntime for Linux reports sessions and models to its maker unless this is set before it is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
