"""Which network a bare state dict belongs to, read off the names and shapes of its tensors.

state_dict   the weights inside a nested checkpoint, without prefixes
parts        layers out of tensors: linear, convolution, norm, PReLU; norms of weights folded
wiring       their order, and the direction of each convolution, from channel counts
gaps         what the holes in a Sequential's numbering were
geometry     strides and paddings from kernel sizes
style        activations and their kin, assumed or given
layers       records of the network's operations
autoencoder  the two halves of a VAE
assumed      what was assumed, as lines for the user
recognise    all of it together
"""
