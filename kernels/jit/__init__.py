"""Device functions that Triton kernels share. Importing a module of this package needs Triton."""
