"""The Program: a generator lowered from ONNX to a short list of fused operations."""
