"""What a run is told: files, --set, limits, search spaces, read and checked against the defaults of `config`."""
