"""From checkpoints to files that run without PyTorch: ONNX and TensorRT plans."""
