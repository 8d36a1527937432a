"""TensorRT plans, really built; TensorRT-RTX does that without a GPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.backends._tensorrt import flavours
from engine.core.artifacts import open_artifact, sidecar_path
from engine.core.errors import BackendUnavailableError, ExportError, OptionError
from engine.core.files import sha256
from engine.core.spec import GeneratorSpec
from engine.models.load import load_generator
from export import builders
from export.builders import choose_builder
from export.plan import build_plan
from export.plan_options import BatchProfile, BuildOptions, parse_targets
from export.tensorrt import export_tensorrt

needs_rtx = pytest.mark.skipif(
    "tensorrt-rtx" not in flavours(), reason="needs TensorRT-RTX: pip install tensorrt-rtx-cu13"
)


@needs_rtx
@pytest.mark.parametrize(
    ("name", "graphs"),
    [
        ("dcgan-classes", {"d.plan": ("decoder", ["z", "labels", "images"])}),
        (
            "vae",
            {
                "d.plan": ("decoder", ["z", "images"]),
                "d.encoder.plan": ("encoder", ["images", "mean", "logvar"]),
            },
        ),
        ("gan-mlp", {"d.plan": ("decoder", ["z", "images"])}),
    ],
)
def test_plan_and_sidecar(
    name: str,
    graphs: dict[str, tuple[str, list[str]]],
    checkpoints: dict[str, Path],
    onnx_files: dict[str, Path],
    tmp_path: Path,
) -> None:
    source = checkpoints[name] if name == "gan-mlp" else onnx_files[name]
    options = BuildOptions(BatchProfile(1, 8, 16))
    reports = export_tensorrt(open_artifact(source), tmp_path / "d.plan", options)
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {f"{graph}{end}" for graph in graphs for end in ("", ".json", ".log")}
    assert [report.path.name for report in reports] == list(graphs)
    for file, (entry_point, names) in graphs.items():
        values = json.loads(sidecar_path(tmp_path / file).read_text())
        assert GeneratorSpec.from_dict(values["spec"]) == load_generator(checkpoints[name]).spec
        assert values["sha256"] == sha256(tmp_path / file)
        assert (values["entry_point"], values["precision"]) == (entry_point, "fp32")
        assert values["builder"] in flavours()
        assert values["batch"] == {"min": 1, "opt": 8, "max": 16}
        assert [tensor["name"] for tensor in values["tensors"]] == names
        assert all(tensor["shape"][0] == -1 for tensor in values["tensors"])
        assert values["source"]["name"] == source.name


@needs_rtx
def test_weights_in_half_still_compute_in_fp32(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    from export.convert import export_onnx

    export_onnx(load_generator(checkpoints["gan-mlp"]), tmp_path / "h.onnx", "fp16-weights")
    built = build_plan(tmp_path / "h.onnx", BuildOptions(), "tensorrt-rtx")
    assert built.precision == "fp32"


@needs_rtx
@pytest.mark.parametrize(
    ("precision", "output", "found", "dtype"),
    [
        ("fp16", "float32", "mixed", "float32"),
        ("auto", "uint8", "mixed", "uint8"),
    ],
)
def test_lower_precision_and_images(
    precision: str,
    output: str,
    found: str,
    dtype: str,
    checkpoints: dict[str, Path],
    tmp_path: Path,
) -> None:
    options = BuildOptions(targets=("sm89",), precision=precision, output=output)  # type: ignore[arg-type]
    (report,) = export_tensorrt(open_artifact(checkpoints["dcgan"]), tmp_path / "d.plan", options)
    assert report.plan.precision == found
    (images,) = (tensor for tensor in report.plan.tensors if tensor.name == "images")
    assert images.dtype == dtype
    spec = GeneratorSpec.from_dict(json.loads(sidecar_path(report.path).read_text())["spec"])
    lower = "fp16" if precision == "auto" else precision
    assert {layer.precision for layer in spec.precisions} == {lower}


@needs_rtx
def test_bf16_deconvolutions_are_refused_by_name(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    options = BuildOptions(precision="bf16")
    with pytest.raises(ExportError, match=r"does not build .* bfloat16: 'node_conv.*auto or fp16"):
        export_tensorrt(open_artifact(checkpoints["dcgan"]), tmp_path / "d.plan", options)
    assert list(tmp_path.iterdir()) == []
    report = export_tensorrt(open_artifact(checkpoints["gan-mlp"]), tmp_path / "m.plan", options)
    assert report[0].plan.precision == "mixed"


@needs_rtx
def test_float32_products_on_turing_are_refused_by_name(
    onnx_files: dict[str, Path], checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    options = BuildOptions(targets=("sm75",))
    with pytest.raises(ExportError, match=r"float32 for sm75: 'node_Gemm.*auto or fp16"):
        export_tensorrt(open_artifact(onnx_files["gan-mlp"]), tmp_path / "d.plan", options)
    assert list(tmp_path.iterdir()) == []
    half = BuildOptions(targets=("sm75",), precision="fp16")
    (report,) = export_tensorrt(open_artifact(checkpoints["gan-mlp"]), tmp_path / "d.plan", half)
    assert report.plan.targets == ("sm75",)


@needs_rtx
def test_the_builder_tells_how_far_it_is_and_what_it_did(onnx_files: dict[str, Path]) -> None:
    told: list[tuple[str, int, int]] = []

    def advance(phase: str, done: int, total: int) -> None:
        told.append((phase, done, total))
        raise RuntimeError("a display that fails does not stop the build")

    built = build_plan(onnx_files["gan-mlp"], BuildOptions(), "tensorrt-rtx", advance)
    assert told
    assert all(0 <= done <= total for _, done, total in told)
    assert len(built.log.splitlines()) > 3


@needs_rtx
def test_what_only_some_builders_can(
    onnx_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builders, "no_gpu_reason", lambda: "no GPU here")
    for options, words in (
        (BuildOptions(weights="stripped"), "only where there is a GPU, and no GPU here"),
        (BuildOptions(timing_cache=tmp_path / "c"), "measures nothing when it builds"),
    ):
        with pytest.raises(OptionError, match=words):
            build_plan(onnx_files["gan-mlp"], options, "tensorrt-rtx")
    with pytest.raises(OptionError, match="for the GPU at hand, not for sm89"):
        builders.check(BuildOptions(targets=("sm89",)), "tensorrt")


def test_an_onnx_file_keeps_its_precision(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    from export.source import as_onnx

    with pytest.raises(OptionError, match="has its precision and output already"):
        as_onnx(open_artifact(onnx_files["gan-mlp"]), tmp_path, "fp16")


@needs_rtx
def test_named_targets(onnx_files: dict[str, Path]) -> None:
    options = BuildOptions(BatchProfile(4, 4, 4), ("sm86", "sm89"))
    built = build_plan(onnx_files["gan-mlp"], options, "tensorrt-rtx")
    assert built.targets == ("sm86", "sm89")
    with pytest.raises(OptionError, match="does not build for sm90; known are sm75.*portable"):
        build_plan(onnx_files["gan-mlp"], BuildOptions(targets=("sm90",)), "tensorrt-rtx")


@needs_rtx
def test_a_failed_build_says_why_and_leaves_nothing(
    onnx_files: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = BuildOptions(workspace_mib=1)
    with pytest.raises(ExportError, match="workspace"):
        export_tensorrt(open_artifact(onnx_files["dcgan"]), tmp_path / "bad.plan", options)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@needs_rtx
def test_an_unsupported_graph_names_its_node(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info
    node = helper.make_node("Unheard", ["z"], ["images"], name="the_node", domain="custom")
    graph = helper.make_graph(
        [node],
        "g",
        [value("z", TensorProto.FLOAT, ["batch", 4])],
        [value("images", TensorProto.FLOAT, ["batch", 4])],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("custom", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets), tmp_path / "odd.onnx")
    with pytest.raises(ExportError, match="the_node"):
        build_plan(tmp_path / "odd.onnx", BuildOptions(), "tensorrt-rtx")


@pytest.mark.parametrize(
    ("installed", "gpu", "expected"),
    [
        (("tensorrt", "tensorrt-rtx"), True, "tensorrt"),
        (("tensorrt", "tensorrt-rtx"), False, "tensorrt-rtx"),
        (("tensorrt-rtx",), True, "tensorrt-rtx"),
    ],
    ids=["gpu", "no-gpu", "rtx-only"],
)
def test_builder(
    installed: tuple[str, ...], gpu: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builders, "flavours", lambda: installed)
    monkeypatch.setattr(builders, "no_gpu_reason", lambda: None if gpu else "no GPU here")
    assert choose_builder() == expected


@pytest.mark.parametrize(
    ("installed", "message"),
    [((), "no TensorRT is installed"), (("tensorrt",), r"on a GPU only, and no GPU here.*rtx")],
    ids=["none", "needs-gpu"],
)
def test_no_builder(
    installed: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builders, "flavours", lambda: installed)
    monkeypatch.setattr(builders, "no_gpu_reason", lambda: "no GPU here")
    with pytest.raises(BackendUnavailableError, match=message):
        choose_builder()


def test_batch_profile() -> None:
    assert BatchProfile.parse("1:32:256") == BatchProfile(1, 32, 256)
    assert BatchProfile.parse("8") == BatchProfile(8, 8, 8)
    for text in ("", "1:2", "0:1:2", "a:b:c", "3:2:1", "\u00b2", "1:\u0663:4", "9" * 5000):
        with pytest.raises(OptionError, match="batch profile"):
            BatchProfile.parse(text)


def test_targets() -> None:
    assert parse_targets(None) == ()
    assert parse_targets("portable") == ("portable",)
    assert parse_targets("SM86, sm120") == ("sm86", "sm120")
    assert parse_targets("sm89,sm86,SM89") == ("sm89", "sm86")
    with pytest.raises(OptionError, match="is unknown; write sm86,sm89"):
        parse_targets("sm\u0668\u0669")
