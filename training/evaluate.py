"""`python -m training.evaluate`; see `--help`."""

import sys

from resonance_engine.training.commands.registry import run_script

if __name__ == "__main__":
    sys.exit(run_script("evaluate"))
