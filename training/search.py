"""`python -m training.search`; see `--help`."""

import sys

from resonance_engine.training.commands import search
from resonance_engine.training.commands.common import alone

if __name__ == "__main__":
    sys.exit(alone(search))
