"""`python -m training.features`: another name of `python -m training.precompute`."""

import sys

from resonance_engine.training.commands.registry import run_script

if __name__ == "__main__":
    sys.exit(run_script("precompute"))
