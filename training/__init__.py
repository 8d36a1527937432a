"""Training: data sets, losses and loops that make the checkpoints. `python -m training RECIPE`."""
