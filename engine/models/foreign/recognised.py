"""State dicts that do not name their network: recognised and built as a chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from engine.core.errors import ArtifactError, OptionError
from engine.core.options import LoadOptions, refuse_options
from engine.core.recognition.recognise import Recognised, recognise
from engine.core.recognition.state_dict import Found, find_state_dict, is_tensor, unwrapped
from engine.core.recognition.style import RANGES
from engine.core.spec import Noise
from engine.models.chain import NAME
from engine.models.foreign.evidence import build_recognised, settle
from engine.models.foreign.own import own_network
from engine.models.infer import infer_spec
from engine.models.loaded import LoadedGenerator, load_weights, ready
from engine.models.readable import refuse_unreadable, refuse_whole_numbers


def load_recognised(values: Any, path: Path, options: LoadOptions) -> LoadedGenerator:
    """The generator in a state dict whose network was recognised from its tensors.

    Raises ArtifactError, saying what the tensors look like, if it was not.
    """
    refuse_options(
        options,
        path,
        "the network of this state dict is recognised from its tensors",
        ("state_key", "classes", "output_range", "arch_args"),
    )
    refuse_unreadable(values, path)
    own = _load_own(values, path, options)
    if own is not None:
        return own
    arrays = as_arrays(values, path)
    given = {**output_activation(options), **options.arch_args}

    def reading(overrides: Mapping[str, Any]) -> Recognised:
        return _recognise(arrays, path, options, {**given, **overrides})

    found, evidence = settle(reading, path)
    module = build_recognised(found, path)
    entry_points = ready(module.entry_points())
    latent = Noise(
        shape=(module.latent_size,),
        distribution="uniform" if found.settings.latent_distribution == "uniform" else "normal",
    )
    spec = infer_spec(
        path,
        found.family,
        entry_points["decoder"],
        latent,
        module.classes,
        options.output_range or module.output_range,
    )
    return LoadedGenerator(
        spec=spec.replace(entry_points=tuple(entry_points)),
        entry_points=entry_points,
        arch=NAME,
        arch_args=found.arguments,
        assumptions=(*found.assumptions, evidence),
    )


def output_activation(options: LoadOptions) -> dict[str, str]:
    """The output activation that the user's output range asks for, as an override.

    Raises OptionError where the two contradict each other, or the range fits no activation.
    """
    if options.output_range is None:
        return {}
    low, high = options.output_range
    asked = f"output_range={low:g}:{high:g}"
    fitting = next((name for name, span in RANGES.items() if span == (low, high)), None)
    explicit = options.arch_args.get("output_activation")
    if explicit is None:
        if fitting is None:
            raise OptionError(
                f"{asked} fits neither tanh (-1:1) nor sigmoid (0:1), which recognised networks "
                'end in; say what is at the end: --arch-args \'{"output_activation": "identity"}\''
            )
        return {"output_activation": fitting}
    span = RANGES.get(str(explicit))
    if span is not None and span != (low, high):
        raise OptionError(
            f"{asked} contradicts output_activation={explicit!r}, which spans "
            f"{span[0]:g}:{span[1]:g}; leave one of the two out"
        )
    return {}


def _load_own(values: Any, path: Path, options: LoadOptions) -> LoadedGenerator | None:
    """A bare state dict of one of our own networks, None for any other."""
    if options.arch_args:
        return None
    found = _find(values, path, options.state_key)
    tensors = unwrapped(found.tensors)
    match = own_network(tensors, options.classes)
    if match is None:
        return None
    module, arch, arguments = match
    refuse_whole_numbers(tensors, path)
    load_weights(module, tensors, path)
    spec = module.describe(path.name.split(".")[0]).replace(inferred=True)
    if options.output_range is not None:
        spec = spec.replace(output=replace(spec.output, range=options.output_range))
    lines = (*found.notes, f"network: {arch} of this project, {arguments}")
    return LoadedGenerator(spec, ready(module.entry_points()), arch, arguments, lines)


def _find(values: Any, path: Path, state_key: str | None) -> Found:
    try:
        return find_state_dict(values, state_key)
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from error


def _recognise(
    values: Any, path: Path, options: LoadOptions, overrides: Mapping[str, Any]
) -> Recognised:
    try:
        return recognise(
            values,
            state_key=options.state_key,
            classes=options.classes,
            overrides=overrides,
        )
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from error


def as_arrays(values: Any, path: Path) -> Any:
    """Nested values with numpy arrays for tensors; half and bfloat16 become float32."""
    if isinstance(values, Mapping):
        return {key: as_arrays(value, path) for key, value in values.items()}
    if isinstance(values, (list, tuple)) and values and all(map(is_tensor, values)):
        return [as_arrays(value, path) for value in values]
    if not is_tensor(values) or not isinstance(values, Tensor):
        return values
    tensor = values.detach()
    return (tensor.float() if tensor.is_floating_point() else tensor).cpu().numpy()
