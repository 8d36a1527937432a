"""Static planning: order, lifetimes, buffers in one arena, algorithms with their reasons."""
