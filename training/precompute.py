"""`python -m training.precompute`; see `--help`."""

import sys

from resonance_engine.training.commands import precompute
from resonance_engine.training.commands.common import alone

if __name__ == "__main__":
    sys.exit(alone(precompute))
