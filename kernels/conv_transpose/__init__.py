"""Fused convolution layers, forward and transposed, on 0 to 3 axes: designs, planner, launchers."""
