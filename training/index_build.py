"""`python -m training.index_build`; see `--help`."""

import sys

from resonance_engine.training.commands import index_build
from resonance_engine.training.commands.common import alone

if __name__ == "__main__":
    sys.exit(alone(index_build))
