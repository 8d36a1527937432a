"""ONNX -> Program, the one road: views instead of moved data, norms folded, operations fused."""

from engine.program.lowering.lower import lower

__all__ = ["lower"]
