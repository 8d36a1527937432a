"""Operations without a matrix product: elementwise, moves, norms, windows, and small reductions.

All take contiguous tensors, channels last, with the batch as the leading axis, and compute in fp32
whatever their type is. Each module imports Triton, so import them where they are used.
"""
