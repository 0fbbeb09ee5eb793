"""Seeds -> ranked neighbours: what sounds most like this, and which of it to show."""
