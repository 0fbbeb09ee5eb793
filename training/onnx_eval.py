"""`python -m training.onnx_eval`; see `--help`."""

import sys

from resonance_engine.training.commands import onnx_eval
from resonance_engine.training.commands.common import alone

if __name__ == "__main__":
    sys.exit(alone(onnx_eval))
