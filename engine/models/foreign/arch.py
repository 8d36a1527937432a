"""Networks that are not ours, named by the user: `--arch module:factory`."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.core.errors import ArtifactError, OptionError
from engine.core.options import LoadOptions
from engine.core.recognition.state_dict import find_state_dict, generator_part, unwrapped
from engine.core.spec import Noise
from engine.models import registry
from engine.models.base import GeneratorModule
from engine.models.foreign.wrap import First, Method
from engine.models.infer import first_line, infer_spec, probe
from engine.models.lift import lifted, lifted_notes
from engine.models.loaded import LoadedGenerator, load_weights, ready

_BATCH = 2
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
    load_weights(module, _fitting(module, found.tensors), path)
    if isinstance(module, GeneratorModule):
        return _describe_own(module, path, options, found.notes)
    parts, notes = split(module)
    latent = Noise(shape=_latent_shape(module, options))
    parts, more = _checked(ready(parts), probe(latent, options.classes or 0, _BATCH))
    parts["decoder"], noise = lifted(
        parts["decoder"], lambda batch: probe(latent, options.classes or 0, batch)
    )
    spec = infer_spec(
        path,
        type(module).__name__,
        parts["decoder"],
        latent,
        options.classes or 0,
        options.output_range,
        noise,
    )
    return LoadedGenerator(
        spec=spec.replace(entry_points=tuple(parts)),
        entry_points=parts,
        arch=arch,
        arch_args=options.arch_args,
        assumptions=found.notes + notes + more + lifted_notes(noise) + _stated(options),
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


def _checked(
    parts: dict[str, nn.Module], inputs: tuple[Tensor, ...]
) -> tuple[dict[str, nn.Module], tuple[str, ...]]:
    """Only what can be sampled: the first of several outputs, an encoder only if it fits."""
    notes: tuple[str, ...] = ()
    try:
        with torch.inference_mode():
            samples = parts["decoder"](*inputs)
            if isinstance(samples, (tuple, list)) and samples and isinstance(samples[0], Tensor):
                notes += (f"graph: the first of {len(samples)} outputs is the sample",)
                parts, samples = {**parts, "decoder": First(parts["decoder"])}, samples[0]
    # `infer_spec` runs it again and says what is wrong.
    except Exception:
        return {"decoder": parts["decoder"]}, notes
    encoder = parts.get("encoder")
    if encoder is not None and not _encodes(encoder, (samples, *inputs[1:]), inputs[0]):
        parts = {"decoder": parts["decoder"]}
        notes += ("encoder: left out, it does not turn samples into (mean, logvar)",)
    return parts, notes


def _encodes(encoder: nn.Module, inputs: tuple[Tensor, ...], latent: Tensor) -> bool:
    try:
        with torch.inference_mode():
            outputs = encoder(*inputs)
        return [tensor.shape for tensor in outputs] == [latent.shape] * 2
    # A stranger's method may be anything.
    except Exception:
        return False


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


def _latent_shape(module: nn.Module, options: LoadOptions) -> tuple[int, ...]:
    if options.input_shape is not None:
        return options.input_shape
    for name in _LATENT_NAMES:
        size = getattr(module, name, None)
        if isinstance(size, int) and not isinstance(size, bool) and size > 0:
            return (size,)
    raise OptionError(
        f"arch={options.arch!r} does not say the shape of its input; "
        "give it without the batch: --input-shape 100, or --input-shape 80,20"
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
