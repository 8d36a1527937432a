"""Models taken through every format, and held against PyTorch: `python -m benchmarks.formats`."""
