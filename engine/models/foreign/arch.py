"""Networks that are not ours, named by the user: `--arch module:factory`."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.core.errors import ArtifactError, OptionError
from engine.core.likely import with_given
from engine.core.options import LoadOptions
from engine.core.recognition.state_dict import find_state_dict, generator_part, unwrapped
from engine.core.spec import Further, GeneratorSpec, Noise
from engine.models import registry
from engine.models.base import GeneratorModule
from engine.models.foreign.calling import Called, Calling, Made, Manner, Shape, missing, settle
from engine.models.foreign.wrap import Method
from engine.models.infer import first_line, infer_spec, probe
from engine.models.lift import lifted, lifted_notes
from engine.models.loaded import LoadedGenerator, load_weights, ready

_BATCH = 2
# The part of a larger module that makes samples.
_INNER_NAMES = ("decoder", "generator", "netG", "gen", "G")
# What networks in the field call the length of their latent.
_LATENT_NAMES = ("latent_size", "latent_dim", "z_dim", "nz", "noise_dim", "dim_z", "code_dim")


def load_with_arch(values: Any, path: Path, options: LoadOptions) -> LoadedGenerator:
    """The network that `options.arch` names, with the weights of a checkpoint.

    Imports and runs the code that the user named. Raises OptionError, ArtifactError.
    """
    arch = options.arch or ""
    module = make(arch, options.arch_args)
    try:
        found = find_state_dict(values, options.state_key)
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from error
    try:
        load_weights(module, _fitting(module, found.tensors), path)
    except ArtifactError as error:
        # Where the weights were found may be what is wrong.
        raise ArtifactError("; ".join((str(error), *found.notes))) from error
    if isinstance(module, GeneratorModule):
        return _describe_own(module, path, options, found.notes)
    parts, notes = split(module)
    parts = ready(parts)
    classes, shapes = options.classes or 0, _shapes(module, options)
    parts, calling, more = _called(parts, shapes, classes, path)
    latent, *rest = (Noise(shape, name=f"input_{index}") for index, shape in enumerate(shapes))
    latent = Noise(latent.shape)
    parts["decoder"], drawn = lifted(
        parts["decoder"], lambda batch: probe(latent, classes, batch, noise=rest)
    )
    spec = infer_spec(
        path,
        type(module).__name__,
        parts["decoder"],
        latent,
        classes,
        options.output_range,
        (*rest, *drawn),
        _further(calling, shapes),
    )
    names = calling.names if calling else ("input", *(item.name for item in rest))
    spec, given = with_given(spec, names, certain=bool(spec.further))
    spec = spec.replace(entry_points=tuple(parts), further=tuple(_next(spec)))
    return LoadedGenerator(
        spec=spec,
        entry_points=parts,
        arch=arch,
        arch_args=options.arch_args,
        assumptions=found.notes + notes + more + lifted_notes(drawn) + given + _stated(options),
    )


def make(arch: str, arguments: Mapping[str, Any]) -> nn.Module:
    """A network of the registry by name, or of `module:factory`, or of `path/file.py:factory`."""
    if ":" not in arch:
        return registry.create(arch, **arguments)
    source, _, name = arch.rpartition(":")
    factory: Any = _import(source, arch)
    for part in name.split("."):
        if not hasattr(factory, part):
            raise OptionError(f"arch={arch!r}: {source} has no {part!r}")
        factory = getattr(factory, part)
    try:
        with warnings.catch_warnings():
            # Of what is deprecated in code that its user may not have written.
            warnings.simplefilter("ignore")
            module = factory(**arguments)
    # Anything can go wrong in a stranger's code, which may call sys.exit too.
    except (Exception, SystemExit) as error:
        raise OptionError(
            f"arch={arch!r} cannot be made from {dict(arguments)}: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from error
    if not isinstance(module, nn.Module):
        raise OptionError(f"arch={arch!r} gives {type(module).__name__}, not a torch.nn.Module")
    return module


def split(module: nn.Module) -> tuple[dict[str, nn.Module], tuple[str, ...]]:
    """The entry points of a module: its own `entry_points()`, decode and encode, or itself."""
    if callable(own := getattr(module, "entry_points", None)):
        return dict(own()), ()
    decode, encode = (getattr(module, name, None) for name in ("decode", "encode"))
    if callable(decode) and not isinstance(decode, nn.Module):
        parts: dict[str, nn.Module] = {"decoder": Method(module, "decode")}
        if callable(encode):
            parts["encoder"] = Method(module, "encode")
        return parts, ("graph: the module's methods decode and encode are its entry points",)
    return {"decoder": module}, ()


def _called(
    parts: dict[str, nn.Module], shapes: Sequence[Shape], classes: int, path: Path
) -> tuple[dict[str, nn.Module], Calling | None, tuple[str, ...]]:
    """The entry points as they can be called with x, labels and further inputs; lines about it.

    A network that runs in no manner comes back as it is: `infer_spec` says what is wrong.
    """
    network, notes = parts["decoder"], ()  # type: nn.Module, tuple[str, ...]
    calling = settle(network, shapes, classes)
    if calling is None:
        network, calling, notes = _inner(network, shapes, classes)
    if calling is None:
        _refuse_missing(network, len(shapes) + bool(classes), path)
        return {"decoder": network}, None, ()
    notes += calling.notes()
    kept = calling.made if calling.is_step(shapes) else calling.made[:1]
    if len(calling.made) > len(kept):
        notes += (f"graph: the first of {len(calling.made)} outputs is the sample",)
    called = {"decoder": calling.module(network, kept)}
    if "encoder" in parts:
        encoder = _encoder(parts["encoder"], calling, called["decoder"], shapes, classes)
        if encoder is None:
            notes += ("encoder: left out, it does not turn samples into (mean, logvar)",)
        else:
            called["encoder"] = encoder
    return called, calling, notes


def _encoder(
    encoder: nn.Module,
    calling: Calling,
    decoder: nn.Module,
    shapes: Sequence[Shape],
    classes: int,
) -> nn.Module | None:
    """The encoder, with labels as its decoder takes them, if it turns samples into latents."""
    manner = dataclasses.replace(calling.manner, ones=0, listed=False, most=0)
    if classes and manner != Manner():
        posterior = (Made(0, 0, shapes[0]), Made(1, 0, shapes[0]))
        encoder = Called(encoder, manner, classes, posterior)
    inputs = probe(Noise(shapes[0]), classes, _BATCH)
    try:
        with torch.inference_mode():
            outputs = encoder(decoder(*inputs), *inputs[1:])
        fits = [tensor.shape for tensor in outputs] == [inputs[0].shape] * 2
    # A stranger's method may be anything.
    except Exception:
        return None
    return encoder if fits else None


def _inner(
    network: nn.Module, shapes: Sequence[Shape], classes: int
) -> tuple[nn.Module, Calling | None, tuple[str, ...]]:
    """The part of an autoencoder, or of a trainer's module, that runs on a latent."""
    for name in _INNER_NAMES:
        part = getattr(network, name, None)
        if isinstance(part, nn.Module):
            calling = settle(part, shapes, classes)
            if calling is not None:
                return part, calling, (f"graph: its part {name!r} is what makes samples",)
    return network, None, ()


def _refuse_missing(network: nn.Module, given: int, path: Path) -> None:
    """Raise ArtifactError for a forward with more inputs than were described."""
    needed = missing(network, given)
    if needed:
        raise ArtifactError(
            f"{path}: forward needs {', '.join(needed)}, which are {len(needed)} inputs, and is "
            f"given {given}; say how many classes there are if one is the class (--classes N), "
            "and the shape of each other input (--input-shape, once for each); steps, weights and "
            "flags belong into a class of your own whose forward sets them"
        )


def _further(calling: Calling | None, shapes: Sequence[Shape]) -> tuple[Further, ...]:
    """The outputs beside the sample that are kept, still numbered."""
    if calling is None or not calling.is_step(shapes):
        return ()
    return tuple(
        Further(f"output_{index}", made.shape) for index, made in enumerate(calling.made) if index
    )


def _next(spec: GeneratorSpec) -> Iterator[Further]:
    """Outputs of the shapes of given inputs, in their order, are these inputs in the next step."""
    states = [item for item in (spec.latent, *spec.noise) if item.distribution == "given"]
    for output in spec.further:
        state = next((item for item in states if item.shape == output.shape), None)
        if state is not None:
            states.remove(state)
            output = Further(f"next_{state.name}", output.shape)
        yield output


def _import(source: str, arch: str) -> Any:
    try:
        if source.endswith(".py"):
            return _import_file(Path(source))
        # `python -m` looks for modules in the working folder, an installed command does not.
        if "" not in sys.path and str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        return importlib.import_module(source)
    except (Exception, SystemExit) as error:
        raise OptionError(
            f"arch={arch!r}: cannot import {source!r}: {type(error).__name__}: {first_line(error)}"
        ) from error


def _import_file(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(file.stem, module)
    spec.loader.exec_module(module)
    return module


def _fitting(module: nn.Module, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The tensors under the names that the module has; as they are if nothing fits."""
    wanted = module.state_dict().keys()
    plain = unwrapped(tensors)
    part, _ = generator_part(plain)
    choices: list[Mapping[str, Tensor]] = [tensors, plain, part]
    prefixes = {key.split(".")[0] for key in part if "." in key}
    if len(prefixes) == 1:
        prefix = f"{prefixes.pop()}."
        choices.append({key.removeprefix(prefix): tensor for key, tensor in part.items()})
    return max(
        choices, key=lambda choice: len(wanted & choice.keys()) - len(choice.keys() - wanted)
    )


def _shapes(module: nn.Module, options: LoadOptions) -> tuple[Shape, ...]:
    """Shapes of the float inputs, the latent first."""
    if options.input_shapes:
        return options.input_shapes
    for name in _LATENT_NAMES:
        size = getattr(module, name, None)
        if isinstance(size, int) and not isinstance(size, bool) and size > 0:
            return ((size,),)
    raise OptionError(
        f"arch={options.arch!r} does not say the shape of its input; "
        "give it without the batch: --input-shape 100, or --input-shape 80,20 (a spectrogram), or "
        "3,64,64 (an image); once for each float input where there are several"
    )


def _describe_own(
    module: GeneratorModule, path: Path, options: LoadOptions, notes: tuple[str, ...]
) -> LoadedGenerator:
    if options.classes is not None and options.classes != module.classes:
        raise OptionError(
            f"classes={options.classes}, but arch={options.arch!r} was made with "
            f"{module.classes}; give it in arch_args"
        )
    spec = module.describe(path.name.split(".")[0]).replace(inferred=True)
    if options.output_range is not None:
        spec = spec.replace(output=dataclasses.replace(spec.output, range=options.output_range))
    return LoadedGenerator(
        spec, ready(module.entry_points()), options.arch or "", options.arch_args, notes
    )


def _stated(options: LoadOptions) -> tuple[str, ...]:
    if options.output_range is not None:
        return ()
    return ("output range: -1:1 was assumed (--output-range)",)
