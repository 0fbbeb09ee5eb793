#!/usr/bin/env bash
# Run all benchmarks of speed and write docs/performance.md; see benchmarks/performance.py.
set -euo pipefail
cd "$(dirname "$0")/.."
for argument; do
    case $argument in
        -h | --help) exec "${PYTHON:-python3}" -m benchmarks.performance --help ;;
    esac
done
make .venv/ready
exec .venv/bin/python -m benchmarks.performance "$@"
