#!/usr/bin/env bash
# Run all benchmarks of speed and write docs/performance.md; see benchmarks/performance.py.
set -euo pipefail
cd "$(dirname "$0")/.."
make .venv/ready
exec .venv/bin/python -m benchmarks.performance "$@"
