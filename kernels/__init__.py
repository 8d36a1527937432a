"""Numerical kernels that take arrays or pointers and know nothing of engines or models."""
