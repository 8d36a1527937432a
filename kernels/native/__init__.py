"""Networks of fused operations on a CPU: C++ behind a C interface, many images at once.

Knows arrays and operations, nothing of models or Programs. `README.md` has the forms and kinds.
"""
