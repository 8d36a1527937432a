"""What stands between two layers that have weights: activations, upsampling, dropout.

Those have no weights and so leave no trace in a state dict but a gap in the indices of their
Sequential. Outside of a Sequential there is none, and the usual is assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from engine.core.recognition.geometry import unusual
from engine.core.recognition.parts import Part
from engine.core.recognition.wiring import Node, start_side


@dataclass(frozen=True, slots=True)
class Step:
    """A layer and what runs in front of it, in this order: activation, reshape, upsampling.

    dropout marks a place for it: it does nothing at inference, but shows in running statistics.
    """

    layer: Node | Part
    activation: bool = False
    reshape: bool = False
    upsample: bool = False
    dropout: bool = False
    certain: bool = True


def fill_gaps(layers: Sequence[Node | Part], *, growing: bool = True) -> list[Step]:
    """The steps of a chain. `certain` is false where no index tells whether there is an activation.

    Networks of plain convolutions without a trace of upsampling get it before each convolution
    that has no more outputs than inputs, the last one only if that gives a usual size. A network
    that is not growing gets none.
    """
    steps = list(_steps(layers))
    if not growing:
        return steps
    nodes = [step.layer for step in steps if isinstance(step.layer, Node) and step.layer.spatial]
    grows = any(node.transposed for node in nodes) or any(step.upsample for step in steps)
    if grows or not nodes:
        return steps
    inner = [node for node in nodes[:-1] if node.outputs <= node.inputs]
    if _end(layers, len(inner)) > _end(layers, len(inner) + 1):
        inner.append(nodes[-1])
    return [
        replace(step, upsample=True, certain=False)
        if any(step.layer is node for node in inner)
        else step
        for step in steps
    ]


def _end(layers: Sequence[Node | Part], doublings: int) -> int:
    """How unusual the samples are after so many doublings."""
    start = start_side([layer for layer in layers if isinstance(layer, Node)])
    return unusual(start << doublings)


def _steps(layers: Sequence[Node | Part]) -> Iterator[Step]:
    before: Node | Part | None = None
    host: Node | None = None
    flat = True
    active = False
    for layer in layers:
        if before is None or host is None:
            step = Step(layer)
        else:
            reshape = flat and _needs_map(layer, host)
            after_reshape = not flat and not host.spatial
            step = _between(before, layer, reshape, active, after_reshape)
        yield step
        flat = flat and not step.reshape and not (isinstance(layer, Node) and layer.spatial)
        active = step.activation or (active and not isinstance(layer, Node))
        if isinstance(layer, Node):
            host, active = layer, False
        elif layer.kind == "prelu":
            active = True
        before = layer


def _needs_map(layer: Node | Part, host: Node) -> bool:
    """Whether a layer behind a linear one works on a map: [features] becomes [channels, S, S]."""
    if host.spatial:
        return False
    if isinstance(layer, Node):
        return layer.spatial
    return layer.kind == "norm" and layer.features != host.outputs


def _between(
    before: Node | Part, layer: Node | Part, reshape: bool, active: bool, after_reshape: bool
) -> Step:
    slots = _slots(before, layer)
    if slots is None:
        return _unknown(before, layer, reshape, active)
    if reshape:
        # In a Sequential the reshape is a module, and takes a slot.
        slots -= 1
    plain = isinstance(layer, Node) and layer.spatial and not layer.transposed
    if slots == 1 and plain and after_reshape and isinstance(before, Part) and not active:
        # A norm on the reshaped projection, then straight to the upsampling: no activation.
        return Step(layer, upsample=True)
    activation = slots > 0 and not active and _kind(layer) != "prelu"
    if activation:
        slots -= 1
    upsample = plain and slots > 0
    return Step(layer, activation, reshape, upsample, dropout=slots - upsample > 0)


def _unknown(before: Node | Part, layer: Node | Part, reshape: bool, active: bool) -> Step:
    if not isinstance(layer, Node):
        return Step(layer, reshape=reshape)
    if (
        reshape
        and isinstance(before, Node)
        and before.part.index is None
        and layer.part.index is not None
    ):
        # A lone linear layer in front of a Sequential, whose author writes activations as modules.
        return Step(layer, reshape=reshape, certain=False)
    plain = layer.spatial and not layer.transposed
    leading = layer.part.index or 0
    upsample = plain and (leading > 0 or _skipped_blocks(before, layer.part) > 0)
    return Step(layer, not active, reshape, upsample, certain=False)


def _slots(before: Node | Part, layer: Node | Part) -> int | None:
    """Modules without weights between two layers of one Sequential, None outside of one."""
    first = before.part if isinstance(before, Node) else before
    second = layer.part if isinstance(layer, Node) else layer
    if first.container != second.container or first.index is None or second.index is None:
        return None
    return second.index - first.index - 1


def _skipped_blocks(before: Node | Part, second: Part) -> int:
    """Modules without weights between two blocks of one Sequential."""
    first = before.part if isinstance(before, Node) else before
    paths = [part.container.rpartition(".") for part in (first, second)]
    if paths[0][0] != paths[1][0] or not all(path[2].isdigit() for path in paths):
        return 0
    return int(paths[1][2]) - int(paths[0][2]) - 1


def _kind(layer: Node | Part) -> str:
    return layer.part.kind if isinstance(layer, Node) else layer.kind
