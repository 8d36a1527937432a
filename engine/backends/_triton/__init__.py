"""How a Program runs on the Triton kernels: buffers, one runner an operation, CUDA graphs."""
