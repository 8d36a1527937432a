"""Other people's networks: recognised, named by `arch`, or a torch.export program.

recognised   a network rebuilt from the tensors of a state dict, checked by evidence
evidence     alternative readings held against the batch norms' running statistics
own          bare state dicts of this project's own models
arch         any module by `module:factory`
program      `.pt2` files
wrap         modules of others behind our entry points
"""
