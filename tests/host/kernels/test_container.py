"""Limits of containers, read from files as Linux writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from kernels import container

GB = 1 << 30


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A machine of eight processors with these files under its control groups."""

    def make(own: str, files: Mapping[str, str]) -> None:
        (tmp_path / "own").write_text(own)
        for name, text in files.items():
            (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "groups" / name).write_text(text)
        monkeypatch.setattr(container, "OWN", tmp_path / "own")
        monkeypatch.setattr(container, "ROOT", tmp_path / "groups")
        monkeypatch.setattr(
            container.os, "sched_getaffinity", lambda _: set(range(8)), raising=False
        )

    return make


V1 = "4:memory:/docker/a\n1:cpu,cpuacct:/docker/a\n0::/\n"


@pytest.mark.parametrize(
    ("own", "files", "wanted"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "10000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "1600000 100000\n"}, 8),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000\n", "a/b/cpu.max": "max 100000\n"}, 3),
        ("0::/../x\n", {"cpu.max": "400000 100000\n"}, 4),
        (V1, {"cpu/docker/a/cpu.cfs_quota_us": "250000\n"}, 8),
        (
            V1,
            {
                "cpu/docker/a/cpu.cfs_quota_us": "250000\n",
                "cpu/docker/a/cpu.cfs_period_us": "50000\n",
            },
            5,
        ),
        (V1, {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ("0::/\n", {"cpu.max": "what?\n"}, 8),
        ("", {}, 8),
    ],
    ids=(
        "two",
        "one and a half",
        "a tenth",
        "no limit",
        "more than there are",
        "of the group above",
        "outside",
        "v1 without a period",
        "v1",
        "v1 without a limit",
        "nonsense",
        "no groups",
    ),
)
def test_processors(machine, own: str, files: Mapping[str, str], wanted: int) -> None:
    machine(own, files)
    assert container.processors() == wanted


def test_processors_without_affinity(machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine("0::/\n", {})
    monkeypatch.delattr(container.os, "sched_getaffinity")
    monkeypatch.setattr(container.os, "cpu_count", lambda: 3)
    assert container.processors() == 3
    monkeypatch.setattr(container.os, "cpu_count", lambda: None)
    assert container.processors() == 1


@pytest.mark.parametrize(
    ("own", "files", "wanted"),
    [
        (
            "0::/\n",
            {
                "memory.max": f"{4 * GB}\n",
                "memory.current": f"{3 * GB}\n",
                "memory.stat": f"anon 5\ninactive_file {GB}\n",
            },
            2 * GB,
        ),
        (
            V1,
            {
                "memory/docker/a/memory.limit_in_bytes": f"{4 * GB}\n",
                "memory/docker/a/memory.usage_in_bytes": f"{5 * GB}\n",
                "memory/docker/a/memory.stat": "inactive_file 7\ntotal_inactive_file 0\n",
            },
            0,
        ),
        ("0::/\n", {"memory.max": "max\n", "memory.current": "5\n"}, None),
        ("", {}, None),
    ],
    ids=["v2", "v1, beyond its limit", "no limit", "no groups"],
)
def test_memory(machine, own: str, files: Mapping[str, str], wanted: int | None) -> None:
    machine(own, files)
    assert container.free_bytes() == wanted


def test_a_system_without_groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(container, "OWN", tmp_path / "nothing")
    assert container.free_bytes() is None
    assert container.processors() >= 1
