"""`python -m training.export`; see `--help`."""

import sys

from resonance_engine.training.commands import export
from resonance_engine.training.commands.common import alone

if __name__ == "__main__":
    sys.exit(alone(export))
