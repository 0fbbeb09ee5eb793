"""`python -m training.train --mode search | refine`; see `python -m training.search --help` and `training.refine`."""

import sys

from resonance_engine.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
