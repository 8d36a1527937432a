"""Benchmarks of the backends: `pytest benchmarks/ --benchmark-only`, `python -m benchmarks`."""
