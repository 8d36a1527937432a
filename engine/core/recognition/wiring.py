"""The order in which layers run and the direction of each convolution, from channel counts."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from engine.core.errors import ArtifactError, OptionError
from engine.core.recognition.parts import Part, natural

_SEARCHED = 20000
_SOLUTIONS = 64


@dataclass(frozen=True)
class Node:
    """A layer with its direction: a transposed convolution stores [inputs, outputs, ...]."""

    part: Part
    inputs: int
    outputs: int
    transposed: bool = False

    @property
    def spatial(self) -> bool:
        """Whether it is a convolution."""
        return self.part.kind == "conv"

    @property
    def dims(self) -> int:
        """1, 2 or 3 spatial dimensions; 0 for a linear layer."""
        return self.part.weight.ndim - 2 if self.spatial else 0

    @property
    def kernel(self) -> tuple[int, ...]:
        """Size of the kernel."""
        return self.part.weight.shape[2:]


def wire(parts: Sequence[Part], *, shrinking: bool = False) -> list[Node | Part]:
    """Layers in the order in which they run; norms and PReLUs stay Parts.

    A shrinking network (an encoder) has no transposed convolutions and runs in the order given.
    Raises ArtifactError if the layers do not form one chain.
    """
    weighted = [part for part in parts if part.kind in ("linear", "conv")]
    rest = [part for part in parts if part.kind in ("norm", "prelu")]
    for order in (list(parts), sorted(parts, key=lambda part: natural(part.name))):
        nodes = chain([part for part in order if part in weighted], transposed=not shrinking)
        if nodes:
            return _attach(nodes, rest, order)
    ordered = sorted(weighted, key=lambda part: natural(part.name))
    nodes = [] if shrinking else _search(ordered)
    if not nodes:
        raise ArtifactError(
            "its layers do not form one chain from noise to samples: "
            + ", ".join(f"{part.name} {list(part.weight.shape)}" for part in weighted[:6])
        )
    return _attach(nodes, rest, parts)


def chain(parts: Sequence[Part], *, transposed: bool = True) -> list[Node]:
    """The nodes of parts that run in the order given, empty if their channels do not fit."""
    solutions = [
        _decided(nodes, transposed)
        for nodes in itertools.islice(_directions(parts, None, transposed), _SOLUTIONS)
    ]
    # Where two readings fit, even kernels are those of transposed convolutions.
    return min(solutions, key=lambda nodes: sum(_is_odd_choice(n) for n in nodes), default=[])


def fits(outputs: int, node: Node, previous: Node | None) -> bool:
    """Whether a layer can take the outputs of the one before it."""
    if previous is None or outputs == node.inputs:
        return True
    if previous.spatial == node.spatial:
        return False
    if node.spatial:
        return outputs % node.inputs == 0 and side(outputs // node.inputs, node.dims) > 0
    # A flattened map: each channel is there once a position.
    return node.inputs % outputs == 0


def side(positions: int, dims: int) -> int:
    """Length of the side of a square (cubic) map, 0 if it is none."""
    root = round(positions ** (1 / dims))
    return root if root**dims == positions else 0


def start_side(nodes: Sequence[Node]) -> int:
    """Side of the maps in front of the first convolution: 1, or what a linear layer is cut into.

    0 if that is no square.
    """
    outputs = 0
    for node in nodes:
        if node.spatial:
            return side(outputs // node.inputs, node.dims) if outputs else 1
        outputs = node.outputs
    return 1


def _directions(
    parts: Sequence[Part], previous: Node | None, transposed: bool
) -> Iterator[list[Node]]:
    if not parts:
        yield []
        return
    for node in _readings(parts[0], transposed):
        if fits(previous.outputs if previous else 0, node, previous):
            for rest in _directions(parts[1:], node, transposed):
                yield [node, *rest]


def _readings(part: Part, transposed: bool = True) -> list[Node]:
    rows, columns = part.weight.shape[:2]
    nodes = [Node(part, columns, rows)]
    if part.kind == "conv" and transposed and rows != columns:
        nodes.append(Node(part, rows, columns, transposed=True))
    bias = part.tensors.get("bias")
    return [node for node in nodes if bias is None or len(bias) == node.outputs]


def _is_odd_choice(node: Node) -> bool:
    return node.spatial and not node.transposed and node.kernel[0] % 2 == 0


def _decided(nodes: Sequence[Node], transposed: bool) -> list[Node]:
    """The nodes with a direction for layers of as many inputs as outputs, which fit both ways.

    Even kernels are those of transposed convolutions; odd ones serve both, so the others decide.
    """
    if not transposed:
        return list(nodes)
    clear = [node for node in nodes if node.spatial and node.inputs != node.outputs]
    odd = [node.transposed for node in clear if node.kernel[0] % 2]
    mostly = 2 * sum(odd) > len(odd)
    return [
        replace(node, transposed=mostly or node.kernel[0] % 2 == 0)
        if node.spatial and node.inputs == node.outputs
        else node
        for node in nodes
    ]


def directed(layers: Sequence[Node | Part], transposed: Sequence[bool] | None) -> list[Node | Part]:
    """The layers with the user's direction of each convolution; None leaves them as they are.

    Raises OptionError for another number of convolutions, and for one whose channels forbid it.
    """
    if transposed is None:
        return list(layers)
    nodes = [layer for layer in layers if isinstance(layer, Node) and layer.spatial]
    if len(nodes) != len(transposed):
        raise OptionError(
            f"transposed names {len(transposed)} convolutions, the network has {len(nodes)}"
        )
    for node, wanted in zip(nodes, transposed, strict=True):
        if node.transposed != wanted and node.inputs != node.outputs:
            raise OptionError(
                f"transposed={list(transposed)}: the layer {node.part.name!r} with the weight "
                f"{list(node.part.weight.shape)} leads from {node.inputs} to {node.outputs} "
                f"channels only if it is {node.transposed} for it"
            )
    given = iter(transposed)
    return [
        replace(layer, transposed=next(given))
        if isinstance(layer, Node) and layer.spatial
        else layer
        for layer in layers
    ]


def _search(parts: Sequence[Part]) -> list[Node]:
    """The first chain that uses all parts in some order; names gave no order that fits."""
    left = _SEARCHED

    def extend(used: tuple[int, ...], nodes: list[Node]) -> list[Node]:
        nonlocal left
        if len(used) == len(parts):
            return nodes
        for index, part in enumerate(parts):
            if index in used:
                continue
            for node in _readings(part):
                left -= 1
                previous = nodes[-1] if nodes else None
                # A generator starts from a latent vector, not from a single number.
                if left < 0 or (not nodes and node.inputs < 2):
                    continue
                if fits(previous.outputs if previous else 0, node, previous):
                    found = extend((*used, index), [*nodes, node])
                    if found:
                        return found
        return []

    return _decided(extend((), []), transposed=True)


def _attach(
    nodes: Sequence[Node], rest: Sequence[Part], order: Sequence[Part]
) -> list[Node | Part]:
    """Put norms and PReLUs behind their layers: by neighbourhood, else by number, else by width."""
    hosts = _by_neighbourhood(nodes, rest, order) or _by_number(nodes, rest)
    result: list[Node | Part] = [part for part in rest if hosts[part.name] == -1]
    for index, node in enumerate(nodes):
        result.append(node)
        result += [part for part in rest if hosts[part.name] == index]
    return result


def _by_neighbourhood(
    nodes: Sequence[Node], rest: Sequence[Part], order: Sequence[Part]
) -> dict[str, int] | None:
    position = {node.part.name: index for index, node in enumerate(nodes)}
    hosts: dict[str, int] = {}
    current = -1
    for part in order:
        if part.name in position:
            current = position[part.name]
        elif part in rest:
            if not _width_fits(part, nodes, current):
                return None
            hosts[part.name] = current
    norms = [
        host for name, host in hosts.items() for p in rest if p.name == name and p.kind == "norm"
    ]
    return None if len(set(norms)) < len(norms) else hosts


def _by_number(nodes: Sequence[Node], rest: Sequence[Part]) -> dict[str, int]:
    hosts: dict[str, int] = {}
    for part in sorted(rest, key=lambda item: natural(item.name)):
        taken = {
            hosts[other.name] for other in rest if other.name in hosts and other.kind == part.kind
        }
        free = [
            index
            for index in range(len(nodes))
            if index not in taken and _width_fits(part, nodes, index)
        ]
        same = [index for index in free if _number(nodes[index].part.name) == _number(part.name)]
        if not free:
            raise ArtifactError(f"the norm {part.name!r} of {_width(part)} channels fits no layer")
        hosts[part.name] = (same or free)[0]
    return hosts


def _width_fits(part: Part, nodes: Sequence[Node], index: int) -> bool:
    width = _width(part)
    if width == 1 and part.kind == "prelu":
        return index >= 0
    if index < 0:
        return width == nodes[0].inputs
    # Behind a linear layer that is reshaped, a norm may count the channels of the map.
    following = nodes[index + 1].inputs if index + 1 < len(nodes) else -1
    return width in (nodes[index].outputs, following)


def _width(part: Part) -> int:
    return part.features if part.kind == "norm" else len(part.weight)


def _number(name: str) -> str:
    digits = re.findall(r"\d+", name)
    return digits[-1] if digits else ""
