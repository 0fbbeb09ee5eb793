"""Tags suggested for tracks whose genre is the style of a score, which can be heard: rendered music and its labels."""
