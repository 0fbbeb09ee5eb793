"""Files to mono windows and content keys.

In: the path of an audio file. Out: windows of float32 samples at the rate of a spec, a passage, tags, or the content
key of the audio packets. Nothing here knows of features or of models.
"""
