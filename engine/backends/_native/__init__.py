"""Programs as native networks: what to compute in which form, where it lies, in which order."""
