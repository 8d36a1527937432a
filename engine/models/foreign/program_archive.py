"""The archive of a torch.export program: what has been checked of it, and nothing else.

`torch.export.load` runs code that a file brings along, and not from pickled weights alone: it
unpickles the sample inputs and constants of unknown kinds, loads compiled libraries, takes any
attribute of `torch` for an operator (`torch.os.system`), evaluates expressions of shapes and puts
names into Python source. What is let through here has members of known names, operators of ATen,
names that are names, and expressions that only add, multiply and compare; torch is given an archive
in memory made of exactly that, without sample inputs, guards and notes on the source.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.core.errors import ArtifactError
from engine.core.zips import open_zip, read_member

# Among the extra files: the spec of a program of this project, and the digest of all other members.
SPEC_FILE = "generator_spec.json"
DIGEST_FILE = "generator_sha256"

_MODEL = "models/model.json"
_SAMPLES = "data/sample_inputs/model.pt"
_CONFIGS = {
    "data/weights/model_weights_config.json": "data/weights/weight_",
    "data/constants/model_constants_config.json": "data/constants/tensor_",
}
_MEMBERS = re.compile(
    r"models/model\.json|data/weights/weight_\d+|data/constants/tensor_\d+|"
    r"data/(weights/model_weights|constants/model_constants)_config\.json|"
    r"data/sample_inputs/model\.pt|extra/[\w.-]+|"
    r"archive_format|archive_version|byteorder|\.data/version|\.data/serialization_id|"
    r"\.format_version|\.storage_alignment",
    re.ASCII,
)
_TARGET = re.compile(
    r"torch\.ops\.(aten|prims)\.\w+\.\w+|torch\.sym_\w+|math\.(ceil|floor|trunc|sqrt)|"
    r"torch\.ops\.higher_order\.(cond|wrap_with_set_grad_enabled|wrap_with_autocast)|"
    r"_operator\.(add|sub|mul|floordiv|truediv|mod|neg|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem)",
    re.ASCII,
)
# These read and write files.
_FORBIDDEN = ("torch.ops.aten.from_file.", "torch.ops.aten.save.")
_NAME = re.compile(r"[\w.-]*", re.ASCII)
# What an operator is given stands in the source as a literal: an equation, a message.
_LITERALS = ("as_string", "as_strings")
_VERSION = re.compile(r"[\w.+-]*", re.ASCII)
# No attribute, no power (9**9**9 takes all memory), no text but the names of symbols.
_EXPRESSION = re.compile(
    r"(?:'[a-z]{1,4}\d{1,6}'|\b[a-z]{1,4}\d{1,6}\b|\b\d{1,18}\b|[()+\-/,=<>&|~ ]|\*(?!\*)|\b(?:"
    r"Symbol|Integer|Rational|Add|Mul|Mod|PythonMod|FloorDiv|CleanDiv|CeilDiv|ceiling|floor|"
    r"Max|Min|Eq|Ne|Lt|Le|Gt|Ge|And|Or|Not|True|False|true|false|"
    r"integer|positive|negative|nonnegative|real|finite|evaluate)\b)*",
    re.ASCII,
)
_LONGEST_EXPRESSION = 1000
_TREE_TYPES = ("builtins.tuple", "builtins.list", "builtins.dict", None)


def checked_archive(path: Path) -> tuple[io.BytesIO, str | None]:
    """What torch may read of a `.pt2` file, and the spec in it, or None.

    Raises ArtifactError for damage (checksums of all members, and the digest of our own programs),
    and for anything that could run code.
    """
    members = _members(path)
    try:
        spec = members.get(f"extra/{SPEC_FILE}")
        _check_digest(members)
        _check_names(members)
        for name, prefix in _CONFIGS.items():
            _check_payloads(members, name, prefix)
        members[_MODEL] = _checked_graph(members.get(_MODEL, b""))
        members[_SAMPLES] = b""
        return _packed(members), None if spec is None else spec.decode()
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from error
    # JSON of any other shape than torch.export writes.
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ArtifactError(
            f"{path}: not a torch.export program, or damaged: {str(error)[:200]}"
        ) from error


def add_digest(path: Path) -> None:
    """Add the digest of all members to a program that was just written."""
    with zipfile.ZipFile(path) as archive:
        root = archive.namelist()[0].partition("/")[0]
    digest = _digest(_members(path))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{root}/extra/{DIGEST_FILE}", digest)


def _members(path: Path) -> dict[str, bytes]:
    """Contents by name, without the folder that all members lie in."""
    with open_zip(path) as (archive, members):
        found = {}
        for member in members:
            # Programs are stored as they are; a compressed one would be a bomb, or somebody else's.
            if member.compress_type != zipfile.ZIP_STORED:
                raise ArtifactError(f"{member.filename!r} is compressed; torch.export stores it")
            root, _, name = member.filename.partition("/")
            if root != members[0].filename.partition("/")[0]:
                raise ArtifactError("not a torch.export program: its members lie in two folders")
            found[name] = read_member(archive, member)
        return found


def _digest(members: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(members.keys() - {f"extra/{DIGEST_FILE}"}):
        digest.update(f"{name} {hashlib.sha256(members[name]).hexdigest()}\n".encode())
    return digest.hexdigest()


def _check_digest(members: Mapping[str, bytes]) -> None:
    stated = members.get(f"extra/{DIGEST_FILE}")
    if stated is not None and stated != _digest(members).encode():
        raise ArtifactError("damaged, or changed since it was exported (the hash differs)")


def _check_names(members: Mapping[str, bytes]) -> None:
    for name in members:
        if not _MEMBERS.fullmatch(name):
            raise ArtifactError(
                f"holds {name!r}, which is neither graph nor weights of a torch.export program"
            )


def _check_payloads(members: Mapping[str, bytes], config: str, prefix: str) -> None:
    """Weights are plain numbers, and there. Raises ArtifactError."""
    for payload in json.loads(members[config])["config"].values():
        if payload.get("use_pickle", True):
            raise ArtifactError(
                f"{config} speaks of pickled objects, which are never executed; export the model "
                "from plain tensors"
            )
        name = f"{prefix.rpartition('/')[0]}/{payload['path_name']}"
        if not name.startswith(prefix) or name not in members:
            raise ArtifactError(f"{config} speaks of {payload['path_name']!r}, which is no tensor")
        sizes = [size["as_int"] for size in payload["tensor_meta"]["sizes"]]
        # For an empty member torch makes a tensor of any size.
        if not members[name] and 0 not in sizes:
            raise ArtifactError(f"{name} is empty, and said to be of shape {sizes}")


def _checked_graph(text: bytes) -> bytes:
    """The graph without guards and notes on the source; nothing in it can run code."""
    program = json.loads(text)
    program["guards_code"] = []
    for node in _nodes(program):
        node["metadata"] = {}
    for call in program["graph_module"]["module_call_graph"]:
        signature = call["signature"] or {}
        for spec in ("in_spec", "out_spec"):
            if signature.get(spec) is not None:
                _check_tree(json.loads(signature[spec])[1])
                # Checked by its own rules.
                signature[spec] = _Tree(signature[spec])
    _check_values(program, "")
    return json.dumps(program).encode()


class _Tree(str):
    """Text that describes arguments, already checked."""

    __slots__ = ()


def _nodes(value: Any) -> list[dict[str, Any]]:
    """Everything with a target, in graphs within graphs as well."""
    children = value.values() if isinstance(value, dict) else value
    if not isinstance(value, (dict, list)):
        return []
    found = [value] if isinstance(value, dict) and "target" in value else []
    return found + [node for child in children for node in _nodes(child)]


def _check_values(value: Any, key: str) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            if name in ("as_operator", "as_custom_obj"):
                raise ArtifactError(f"the graph holds {name}, which could run any code")
            _check_text(name, "")
            _check_values(item, name)
    elif isinstance(value, list):
        for item in value:
            _check_values(item, key)
    elif isinstance(value, str) and not isinstance(value, _Tree) and key not in _LITERALS:
        _check_text(value, key)


def _check_text(text: str, key: str) -> None:
    allowed = {"target": _TARGET, "expr_str": _EXPRESSION, "torch_version": _VERSION}
    long = key == "expr_str" and len(text) > _LONGEST_EXPRESSION
    if long or not allowed.get(key, _NAME).fullmatch(text) or text.startswith(_FORBIDDEN):
        named = {"target": "the operator", "expr_str": "the size"}.get(key, "the name")
        raise ArtifactError(
            f"{named} {text[:80]!r} in its graph could run any code, and is not executed"
        )


def _check_tree(tree: Any) -> None:
    context = tree["context"]
    names = [] if context in (None, "null") else json.loads(context)
    if tree["type"] not in _TREE_TYPES or not all(isinstance(name, str) for name in names):
        raise ArtifactError(f"takes or gives values of the type {tree['type']!r}, not tensors")
    for name in names:
        _check_text(name, "")
    for child in tree["children_spec"]:
        _check_tree(child)


def _packed(members: Mapping[str, bytes]) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"archive/{name}", content)
    made.seek(0)
    return made
