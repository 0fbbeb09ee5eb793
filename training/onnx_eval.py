"""`python -m training.onnx_eval`; see `--help`."""

import sys

from resonance_engine.training.commands.registry import run_script

if __name__ == "__main__":
    sys.exit(run_script("onnx_eval"))
