"""Reading a generator from a file, for the eager backend and for export.

.pt .pth .ckpt .tar .bin   checkpoint of ours; else a state dict, recognised or with `arch`
.safetensors .npz          state dict, recognised or with `arch`; in .npz also under Chainer's names
.pt2                       torch.export program (engine.models.foreign.program)
.onnx                      file that this project exported (engine.models.onnx_file)
"""

from __future__ import annotations

from pathlib import Path

from engine.core.artifacts import KINDS, UNZIP
from engine.core.errors import ArtifactError
from engine.core.options import LoadOptions, refuse_options
from engine.models import checkpoint
from engine.models.build import build
from engine.models.loaded import LoadedGenerator, load_weights, ready
from engine.models.safe_load import read_values

__all__ = ["LoadedGenerator", "load_generator"]


def load_generator(path: str | Path, options: LoadOptions | None = None) -> LoadedGenerator:
    """The generator in a file, in eval mode on the CPU.

    Raises ArtifactError for a file that cannot be used, NumericalError for NaN in its weights,
    OptionError for options that do not fit.
    """
    path, options = Path(path), options or LoadOptions()
    kind = KINDS.get(path.suffix.lower(), "checkpoint")
    if kind not in ("checkpoint", "onnx"):
        what = f"; {UNZIP}" if kind == "bundle" else ""
        raise ArtifactError(
            f"{path}: holds no network that PyTorch can build; give the checkpoint or the ONNX "
            f"file{what}"
        )
    if path.suffix == ".onnx":
        from engine.models.onnx_file import load_onnx

        return load_onnx(path, options)
    if path.suffix == ".pt2":
        from engine.models.foreign.program import load_program

        return load_program(path, options)
    values = read_values(path)
    if checkpoint.is_own(values):
        return _load_own(checkpoint.Checkpoint.from_values(values, path), path, options)
    if options.arch is not None:
        from engine.models.foreign.arch import load_with_arch

        return load_with_arch(values, path, options)
    from engine.models.foreign.recognised import load_recognised

    return load_recognised(values, path, options)


def _load_own(stored: checkpoint.Checkpoint, path: Path, options: LoadOptions) -> LoadedGenerator:
    refuse_options(options, path, "a checkpoint of this project describes itself", ("state_key",))
    module = build(stored.arch, stored.arch_args)
    load_weights(module, _own_weights(stored, path, options.state_key), path)
    return LoadedGenerator(
        spec=stored.spec,
        entry_points=ready(module.entry_points()),
        arch=stored.arch,
        arch_args=stored.arch_args,
    )


def _own_weights(
    stored: checkpoint.Checkpoint, path: Path, key: str | None
) -> checkpoint.StateDict:
    held = {"generator": stored.generator}
    if stored.generator_ema is not None:
        held["generator_ema"] = stored.generator_ema
    if key is None:
        return stored.weights
    if key not in held:
        raise ArtifactError(f"{path}: no state dict {key!r}; it holds {', '.join(held)}")
    return held[key]
