"""Where two engines part: the values between their layers, read on both sides and compared.

A layer is a product (convolution, matrix product, recurrent cell) with all that follows it up to
the next product, as in `export.mixed`. Every side is read in a form that has its layers:

    eager                   the network's own calls in PyTorch, as they are made
    onnxruntime             the file's graph, with every value between its nodes as an output
    numpy                   the operations of the Program, as the reference executes them
    native, torch, triton   the Program cut off after each layer, run by the backend itself

Reading keeps onnxruntime from fusing nodes whose values are read, so that an ONNX graph may round
a little more often than it does without.
"""

from engine.layerwise.divergence import Divergence, LayerRow, LayerTolerance, diverge

__all__ = ["Divergence", "LayerRow", "LayerTolerance", "diverge"]
