"""Random numbers that a network draws in forward, made inputs of it.

Noise layers (Karras et al., "A style-based generator architecture", 2019) and decoders that draw
their own latent call `torch.randn` and the like. Exported so, a graph gives other samples each
time, or, worse, the same noise for all. `lifted` puts inputs in the place of these calls, one for
each, in the order in which forward makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from engine.core.errors import OptionError
from engine.core.spec import Distribution, Noise

_BATCHES = (2, 3)
_NORMAL = ("randn", "randn_like", "normal", "normal_")
_UNIFORM = ("rand", "rand_like", "uniform", "uniform_")
_DROPOUT = (
    "dropout",
    "alpha_dropout",
    "feature_dropout",
    "feature_alpha_dropout",
    "native_dropout",
)
# Draws whose distribution no noise input has.
_OTHERS = (
    *("bernoulli", "bernoulli_", "multinomial", "poisson", "binomial", "rrelu", "randperm"),
    *("randint", "randint_like", "random", "random_", "exponential", "exponential_"),
    *(
        "gumbel_softmax",
        "cauchy",
        "cauchy_",
        "geometric",
        "geometric_",
        "log_normal",
        "log_normal_",
    ),
)


@dataclass(frozen=True, slots=True)
class Draw:
    """One call: what it draws, and the shape of the part of it that belongs to a sample.

    repeats: rows of the drawn tensor for each sample; 0 for one that all samples share.
    """

    distribution: Distribution
    shape: tuple[int, ...]
    repeats: int

    def noise(self, index: int) -> Noise:
        """The input that takes its place."""
        return Noise(self.shape or (1,), self.distribution, f"noise_{index}")

    def of(self, given: Tensor) -> Tensor:
        """The drawn tensor from the input [B, *shape]."""
        rest = self.shape if self.repeats == 0 else self.shape[self.repeats != 1 :]
        return given.reshape(-1, *rest)


class Lifted(nn.Module):
    """A module whose draws are its last inputs: x, labels if it has any, then one for each draw."""

    def __init__(self, module: nn.Module, draws: Sequence[Draw]) -> None:
        super().__init__()
        self.module = module
        self.draws = tuple(draws)

    def forward(self, x: Tensor, *rest: Tensor) -> Any:
        """Run the module on the noise that is given."""
        count = len(rest) - len(self.draws)
        given = iter([draw.of(noise) for draw, noise in zip(self.draws, rest[count:], strict=True)])
        with _Replaced(lambda name, like: next(given)):
            return self.module(x, *rest[:count])


def lifted(
    module: nn.Module, inputs: Callable[[int], tuple[Tensor, ...]]
) -> tuple[nn.Module, tuple[Noise, ...]]:
    """The module with its draws as inputs, and these inputs; itself and () if it draws nothing.

    inputs: those of a batch of so many samples. Raises OptionError for draws that cannot be told
    apart by sample, or are of no distribution that a noise input has. Nothing is raised for a
    module that does not run.
    """
    small, large = _BATCHES
    first, second = (_listed(module, inputs(batch)) for batch in _BATCHES)
    if not first and not second:
        return module, ()
    if [name for name, _ in first] != [name for name, _ in second]:
        raise OptionError(
            f"forward draws {len(first)} tensors of random numbers for {small} samples and "
            f"{len(second)} for {large}; draw the same for any batch"
        )
    draws = [
        _draw(name, tuple(shape), tuple(larger))
        for (name, shape), (_, larger) in zip(first, second, strict=True)
    ]
    return Lifted(module, draws), tuple(draw.noise(index) for index, draw in enumerate(draws))


def _listed(module: nn.Module, inputs: tuple[Tensor, ...]) -> list[tuple[str, torch.Size]]:
    found: list[tuple[str, torch.Size]] = []

    def note(name: str, like: Tensor) -> Tensor:
        found.append((name, like.shape))
        return torch.zeros_like(like)

    try:
        with torch.inference_mode(), _Replaced(note):
            module(*inputs)
    except OptionError:
        raise
    # Whoever runs the module says what is wrong with it.
    except Exception:
        return []
    return found


def _draw(name: str, shape: tuple[int, ...], larger: tuple[int, ...]) -> Draw:
    distribution: Distribution = "uniform" if name in _UNIFORM else "normal"
    small, large = _BATCHES
    if shape and shape[0] % small == 0 and larger == (shape[0] // small * large, *shape[1:]):
        repeats = shape[0] // small
        return Draw(distribution, (*((repeats,) if repeats != 1 else ()), *shape[1:]), repeats)
    # With a first axis of one it is spread over the samples, who then have one each.
    if shape == larger and len(shape) > 1 and shape[0] == 1:
        return Draw(distribution, shape[1:], 0)
    raise OptionError(
        f"forward draws random numbers of shape {list(shape)} by torch.{name} for {small} samples "
        f"and of {list(larger)} for {large}; draw them for each sample: [batch, ...]"
    )


class _Replaced(TorchFunctionMode):
    """Within it, what would be drawn is what `give(name, tensor of that shape)` gives."""

    def __init__(self, give: Callable[[str, Tensor], Tensor]) -> None:
        super().__init__()
        self._give = give

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        # An overload of the dispatcher is called `randn.generator`.
        name = str(getattr(func, "__name__", "")).split(".")[0]
        given = dict(kwargs or {})
        if name in _DROPOUT or (name.startswith("dropout") and name[7:] in ("1d", "2d", "3d", "_")):
            _refuse_dropout(name, args, given)
        elif name in _OTHERS and _draws(name, args, given):
            raise OptionError(
                f"forward draws random numbers by torch.{name}, which cannot be made an input of "
                "standard normal or uniform numbers; make them an argument of forward"
            )
        elif name in (*_NORMAL, *_UNIFORM):
            return self._drawn(name, args, given)
        return func(*args, **given)

    def _drawn(self, name: str, args: tuple[Any, ...], given: dict[str, Any]) -> Tensor:
        given.pop("generator", None)
        if name in ("randn", "rand"):
            like = torch.empty(*args, **given)
            return self._standard(name, like)
        if name in ("randn_like", "rand_like"):
            return self._standard(name, torch.empty_like(*args, **given))
        if name == "normal":
            return self._normal(name, args, given)
        target, low, high = _bounds(name, args, given)
        made = self._standard(name, torch.empty_like(target))
        scaled = made * (high - low) + low if name in _UNIFORM else made * high + low
        return target.copy_(scaled) if name.endswith("_") else scaled

    def _normal(self, name: str, args: tuple[Any, ...], given: dict[str, Any]) -> Tensor:
        mean, std, size, *_ = (*args, None, None, None)
        mean, std = given.get("mean", mean), given.get("std", std)
        size = given.get("size", size)
        mean, std = 0.0 if mean is None else mean, 1.0 if std is None else std
        tensors = [value for value in (mean, std) if isinstance(value, Tensor)]
        if size is not None:
            options = {key: given[key] for key in ("dtype", "device") if key in given}
            like = torch.empty(size, **options)
        else:
            like = torch.empty_like(sum(tensors[1:], tensors[0]))
        return mean + std * self._standard(name, like)

    def _standard(self, name: str, like: Tensor) -> Tensor:
        """Standard normal, or uniform in [0, 1), numbers of the shape and type of `like`."""
        made = self._give(name, like).to(like.dtype)
        # Uniform inputs span [-1, 1].
        return (made + 1) / 2 if name in _UNIFORM else made


def _bounds(
    name: str, args: tuple[Any, ...], given: Mapping[str, Any]
) -> tuple[Tensor, float, float]:
    """The tensor to fill, and from and to of a uniform, or mean and deviation of a normal draw."""
    target, *numbers = args
    keys = ("from", "to") if name in _UNIFORM else ("mean", "std")
    usual = (0.0, 1.0)
    low, high = (
        given.get(key, numbers[index] if index < len(numbers) else usual[index])
        for index, key in enumerate(keys)
    )
    return target, low, high


def _refuse_dropout(name: str, args: Sequence[Any], given: Mapping[str, Any]) -> None:
    probability = given.get("p", args[1] if len(args) > 1 else 0.5)
    usual = args[2] if len(args) > 2 else name != "native_dropout"
    active = given.get("training", given.get("train", usual))
    if active and (not isinstance(probability, (int, float)) or probability > 0):
        raise OptionError(
            f"forward drops values out by {name} although the network is in eval mode (dropout at "
            "inference): samples would not repeat. Pass training=self.training, or use nn.Dropout"
        )


def _draws(name: str, args: Sequence[Any], given: Mapping[str, Any]) -> bool:
    """Whether a function that draws in training alone does so now."""
    if name != "rrelu":
        return True
    return bool(given.get("training", args[3] if len(args) > 3 else False))


def lifted_notes(noise: Sequence[Noise]) -> tuple[str, ...]:
    """What the user shall know of draws that became inputs."""
    if not noise:
        return ()
    listed = ", ".join(f"{item.name} {item.distribution} {list(item.shape)}" for item in noise)
    return (f"noise: what forward draws became an input of the graph: {listed}",)
