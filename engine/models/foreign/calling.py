"""How a stranger's forward takes what a generator is given: read off its signature, then tried.

Labels come as indices, as a column of them or one-hot, before the latent or behind it; latents as
rows or as maps of one position; the states of a recurrent network in a tuple, with the batch as
their second axis. Here an entry point takes x [B, *shape], labels [B] int64 if there are classes,
and each further input as [B, *shape], in this order, and what it gives has its batch first.
"""

from __future__ import annotations

import inspect
import itertools
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from engine.core.spec import Noise
from engine.models.foreign.wrap import Method
from engine.models.infer import probe

Shape = tuple[int, ...]

# One sample and several: a forward that takes one of the two alone is not what it seems.
_BATCHES = (1, 3)
_LABELS = re.compile(
    r"^(class_?|gen_?|cond_?|one_?hot_?)?(labels?|y|c|cls|class|classes|target|targets|category)"
    r"(_?ids?|_?idx|_?one_?hot)?$",
    re.IGNORECASE,
)

_FORMS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "indices [B]": lambda labels, one_hot: labels,
    "one-hot [B, N]": lambda labels, one_hot: one_hot,
    "one-hot [B, N, 1, 1]": lambda labels, one_hot: one_hot[..., None, None],
    "indices [B, 1]": lambda labels, one_hot: labels[:, None],
}
# For inputs that are maps alone.
_MAPS = "one-hot maps [B, N, H, W]"


@dataclass(frozen=True, slots=True)
class Manner:
    """One way to call a network.

    labels: their form; place: their position among the arguments; keyword: their name instead.
    ones: axes of size 1 behind those of the latent; listed: whether it comes in a list.
    second: which of the float inputs have their batch as the second axis.
    most: number of arguments, of which the last takes all that remain as a tuple; 0 for no limit.
    """

    labels: str = "indices [B]"
    place: int = 1
    keyword: str = ""
    ones: int = 0
    listed: bool = False
    second: tuple[int, ...] = ()
    most: int = 0

    def arguments(
        self, x: Tensor, rest: Sequence[Tensor], classes: int
    ) -> tuple[list[Any], dict[str, Tensor]]:
        """Arguments and keyword arguments of the network."""
        floats = [x, *rest[1:]] if classes else [x, *rest]
        floats[0] = x.reshape(*x.shape, *(1,) * self.ones)
        for index in self.second:
            floats[index] = floats[index].transpose(0, 1).contiguous()
        given: list[Any] = [[floats[0]] if self.listed else floats[0], *floats[1:]]
        named = {}
        if classes:
            one_hot = _one_hot(rest[0], classes)
            if self.labels == _MAPS:
                labels = one_hot[..., None, None].expand(-1, -1, *x.shape[2:])
            else:
                labels = _FORMS[self.labels](rest[0], one_hot)
            if self.keyword:
                named[self.keyword] = labels
            else:
                given.insert(self.place, labels)
        if self.most and len(given) > self.most:
            given[self.most - 1 :] = [tuple(given[self.most - 1 :])]
        return given, named


@dataclass(frozen=True, slots=True)
class Made:
    """One of the tensors that a network gives.

    index: among all, in the order in which it gives them; axis: where its batch is; shape: of a
    sample. reshaped: it drops axes of size 1, its batch too; whole: it holds whole numbers.
    """

    index: int
    axis: int
    shape: Shape
    reshaped: bool = False
    whole: bool = False

    @property
    def of_its_own(self) -> bool:
        """Whether the network gives it as an entry point does."""
        return self.axis == 0 and not self.reshaped and not self.whole

    def of(self, made: Tensor, batch: int) -> Tensor:
        """The tensor [B, *shape], float32."""
        if self.reshaped:
            # In two steps: to its own shape it would be none, and is left out of the graph.
            made = made.reshape(batch, -1).reshape(batch, *self.shape)
        made = made.movedim(self.axis, 0)
        return made.float() if self.whole else made


class Called(nn.Module):
    """A network behind x, labels if there are classes, further inputs; gives what was `kept`."""

    def __init__(
        self, module: nn.Module, manner: Manner, classes: int, kept: Sequence[Made]
    ) -> None:
        super().__init__()
        self.module = module
        self.manner = manner
        self.classes = classes
        self.kept = tuple(kept)

    def forward(self, x: Tensor, *rest: Tensor) -> Any:
        """Call the network; one tensor, or a tuple of several."""
        given, named = self.manner.arguments(x, rest, self.classes)
        made = tensors(self.module(*given, **named))
        kept = tuple(one.of(made[one.index], x.shape[0]) for one in self.kept)
        return kept[0] if len(kept) == 1 else kept


@dataclass(frozen=True, slots=True)
class Calling:
    """A manner in which a network runs, what it gives then, and its names of the float inputs.

    bare: it gives a tensor, and not one in a tuple.
    """

    manner: Manner
    bare: bool
    made: tuple[Made, ...]
    names: tuple[str, ...]
    classes: int

    def module(self, network: nn.Module, kept: Sequence[Made]) -> nn.Module:
        """The network as an entry point; itself where it is called as an entry point is."""
        first = self.made[0]
        if self.bare and replace(self.manner, most=0) == Manner() and first.of_its_own:
            return network
        return Called(network, self.manner, self.classes, kept)

    def is_step(self, inputs: Sequence[Shape]) -> bool:
        """Whether what it gives beside the sample matters: it may be the state of the next step."""
        token_first = self.classes > 0 and self.manner.place == 0
        return len(inputs) > 1 or bool(self.manner.second) or token_first

    def notes(self) -> tuple[str, ...]:
        """What is unusual about it, for the user."""
        manner, first = self.manner, self.made[0]
        usual = Manner()
        found = []
        if self.classes and manner.labels != usual.labels:
            found.append(f"labels go in as {manner.labels.replace('N', str(self.classes))}")
        if self.classes and manner.place == 0 and not manner.keyword:
            found.append("labels come before the latent")
        if manner.ones:
            found.append(f"the latent goes in with {manner.ones} more axes of size 1")
        if manner.listed:
            found.append("the latent goes in as a list of one")
        if manner.second:
            names = ", ".join(self.names[index] for index in manner.second)
            found.append(f"here {names} have their batch first, in forward it is the second axis")
        if first.reshaped or first.axis:
            found.append("the batch of what it gives is put first")
        if first.whole:
            found.append("the whole numbers that it gives come as float32")
        return tuple(f"graph: {line}" for line in found)


def settle(network: nn.Module, inputs: Sequence[Shape], classes: int) -> Calling | None:
    """The first manner in which a network runs on one sample and on several, None if there is none.

    inputs: shapes of the float inputs without the batch, the latent first.
    """
    parameters = signature(network)
    latent, *more = (Noise(shape) for shape in inputs)
    probes = [probe(latent, classes, batch, noise=more) for batch in _BATCHES]
    for manner in _manners(parameters, inputs, classes):
        try:
            with warnings.catch_warnings(), torch.inference_mode():
                warnings.simplefilter("ignore")
                one, several = (_run(network, manner, given, classes) for given in probes)
        # A stranger's code says in many ways that it was called wrongly.
        except Exception:
            continue
        made = tuple(
            found
            for index, pair in enumerate(zip(tensors(one), tensors(several), strict=False))
            if (found := _made(index, *pair)) is not None
        )
        if made and made[0].index == 0:
            names = _names(parameters, manner, len(inputs), classes)
            return Calling(manner, isinstance(one, Tensor), made, names, classes)
    return None


def missing(network: nn.Module, given: int) -> tuple[str, ...]:
    """The parameters of a forward that needs more than the given number of inputs, or ()."""
    needed = [
        item
        for item in signature(network)
        if item.default is item.empty and item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD)
    ]
    return tuple(item.name for item in needed) if len(needed) > given else ()


def signature(network: nn.Module) -> tuple[inspect.Parameter, ...]:
    """The parameters of forward, or of the method; () where they cannot be told."""
    called = getattr(network.module, network.name) if isinstance(network, Method) else None
    try:
        return tuple(inspect.signature(called or network.forward).parameters.values())
    except (TypeError, ValueError):
        return ()


def tensors(made: Any) -> list[Tensor]:
    """All tensors in what a network gives: in tuples, lists and mappings, in their order."""
    if isinstance(made, Tensor):
        return [made]
    if isinstance(made, Mapping):
        made = list(made.values())
    if isinstance(made, (tuple, list)):
        return [tensor for part in made for tensor in tensors(part)]
    return []


def _run(network: nn.Module, manner: Manner, given: tuple[Tensor, ...], classes: int) -> Any:
    arguments, named = manner.arguments(given[0], given[1:], classes)
    return network(*arguments, **named)


def _manners(
    parameters: Sequence[inspect.Parameter], inputs: Sequence[Shape], classes: int
) -> Iterator[Manner]:
    """All manners that may be, the likely ones first."""
    positional = [item for item in parameters if item.kind in (0, 1)]
    most = 0 if any(item.kind == item.VAR_POSITIONAL for item in parameters) else len(positional)
    named = next((item for item in parameters if classes and _LABELS.match(item.name)), None)
    usual = [*range(1, len(inputs) + 1), 0] if classes else [1]
    keyword = ""
    if named is not None and named in positional[: len(inputs) + 1]:
        place = positional.index(named)
        usual = [place, *(other for other in usual if other != place)]
    elif named is not None:
        usual, keyword = [1], named.name
    states = tuple(index for index, shape in enumerate(inputs) if len(shape) == 2)
    seconds = dict.fromkeys([(), states, tuple(index for index in states if index)])
    if len(inputs) == 1 and not classes:
        seconds = {(): None}
    ones = (0, 2, 1, 3) if len(inputs[0]) == 1 else (0,)
    forms = (*_FORMS, *((_MAPS,) if len(inputs[0]) == 3 else ()))
    forms = forms if classes else forms[:1]
    listings = (False, True)
    for listed, second, axes, place, form in itertools.product(
        listings, seconds, ones, usual, forms
    ):
        yield Manner(form, place, keyword, axes, listed, second, most)


def _made(index: int, one: Tensor, several: Tensor) -> Made | None:
    """Where the batch is, by the outputs for one sample and for several."""
    low, high = _BATCHES
    whole = not several.is_floating_point()
    if (
        one.ndim < several.ndim
        and several.shape[0] == high
        and one.numel() * high == several.numel()
    ):
        return Made(index, 0, tuple(several.shape[1:]), True, whole)
    if one.ndim != several.ndim:
        return None
    for axis, sizes in enumerate(zip(one.shape, several.shape, strict=True)):
        if sizes == (low, high):
            shape = tuple(several.movedim(axis, 0).shape[1:])
            same = tuple(one.movedim(axis, 0).shape[1:]) == shape
            return Made(index, axis, shape, False, whole) if same and shape else None
    return None


def _names(
    parameters: Sequence[inspect.Parameter], manner: Manner, count: int, classes: int
) -> tuple[str, ...]:
    """What the network calls its float inputs; those that share a tuple are numbered."""
    names = [item.name for item in parameters if item.kind in (0, 1)]
    total = count + (1 if classes and not manner.keyword else 0)
    last = names[-1] if names else "input"
    grouped = total - len(names) + 1 if total > len(names) else 1
    if grouped > 1:
        names = [*names[:-1], *(f"{last}_{index}" for index in range(grouped))]
    if classes and not manner.keyword:
        del names[manner.place]
    return tuple(names[:count])


def _one_hot(labels: Tensor, classes: int) -> Tensor:
    # A comparison, so that every runtime has the operators.
    return (labels.reshape(-1, 1) == torch.arange(classes, device=labels.device)).float()
