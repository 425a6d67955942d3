"""Cores: what the process is bound to, what a container allows, what the person says."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tumorscope.common import cores as module
from tumorscope.common.cores import cores, quota

VERSION_2 = "30 23 0:26 {root} /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate"
VERSION_1 = (
    "33 31 0:30 {root} /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct"
)


def machine(root: Path, *, group: str, mounts: str, files: dict[str, str]) -> Path:
    """A machine's files of control groups below `root`."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(group)
    (root / "proc/self/mountinfo").write_text(
        "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n" + mounts + "\n"
    )
    for name, content in files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "200000 100000\n"}, 2.0),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "50000 100000\n"}, 0.5),
        ({}, None),
        ({"cpu.max": "nonsense\n"}, None),
        ({"cpu.max": "100000 0\n"}, None),
    ],
)
def test_a_container_with_a_quota_of_its_own(
    tmp_path: Path, files: dict[str, str], expected: float | None
) -> None:
    mounts = VERSION_2.format(root="/")
    assert quota(machine(tmp_path, group="0::/\n", mounts=mounts, files=files)) == expected


def test_of_nested_groups_the_tightest_holds(tmp_path: Path) -> None:
    files = {
        "cpu.max": "max 100000",
        "jobs/cpu.max": "150000 100000",
        "jobs/mine/cpu.max": "400000 100000",
        "others/cpu.max": "10000 100000",
    }
    mounts = VERSION_2.format(root="/")
    assert quota(machine(tmp_path, group="0::/jobs/mine\n", mounts=mounts, files=files)) == 1.5


def test_a_path_of_the_host_that_is_not_mounted_here(tmp_path: Path) -> None:
    """Docker without a namespace of control groups: the container sees its group as the root."""
    root = machine(
        tmp_path,
        group="12:cpu,cpuacct:/docker/0123abc\n0::/docker/0123abc\n",
        mounts=VERSION_1.format(root="/docker/0123abc"),
        files={
            "cpu,cpuacct/cpu.cfs_quota_us": "300000\n",
            "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
    )
    assert quota(root) == 3.0


def test_version_1_without_a_limit(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        group="4:memory:/\n1:cpu,cpuacct:/a\n",
        mounts=VERSION_1.format(root="/"),
        files={
            "cpu,cpuacct/a/cpu.cfs_quota_us": "-1\n",
            "cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
        },
    )
    assert quota(root) is None


def test_both_versions_side_by_side(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        group="1:cpu,cpuacct:/a\n0::/b\n",
        mounts=VERSION_1.format(root="/") + "\n" + VERSION_2.format(root="/"),
        files={
            "cpu,cpuacct/a/cpu.cfs_quota_us": "250000\n",
            "cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
            "b/cpu.max": "max 100000\n",
        },
    )
    assert quota(root) == 2.5


def test_a_machine_without_control_groups_sets_no_limit(tmp_path: Path) -> None:
    assert quota(tmp_path) is None


@pytest.mark.parametrize(("allowed", "expected"), [(0.1, 1), (1.5, 2), (2.0, 2), (99.0, 3)])
def test_parts_of_a_core_count_as_one_and_the_fewer_hold(
    monkeypatch: pytest.MonkeyPatch, allowed: float, expected: int
) -> None:
    monkeypatch.delenv(module.VARIABLE, raising=False)
    monkeypatch.setattr(module, "_bound", lambda: 3)
    monkeypatch.setattr(module, "quota", lambda: allowed)
    assert cores() == expected


def test_what_the_person_says_goes_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.VARIABLE, "7")
    assert cores() == 7
    for nonsense in ("", "0", "-2", "many", "default"):
        monkeypatch.setenv(module.VARIABLE, nonsense)
        assert 1 <= cores() <= (os.cpu_count() or 1)


def test_nobody_counts_cores_otherwise() -> None:
    """A pool without a number, or with the machine's cores, overruns the quota of a container."""
    source = Path(module.__file__).parents[1]
    pattern = re.compile(r"cpu_count\(|sched_getaffinity|(Thread|Process)PoolExecutor\(\)")
    others = [
        str(file.relative_to(source))
        for file in source.rglob("*.py")
        if file != Path(module.__file__) and pattern.search(file.read_text(encoding="utf-8"))
    ]
    assert others == []


def test_tensorflow_is_told_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("keras", reason="needs the train extra")
    from tumorscope.networks import backend

    told = "TF_NUM_INTRAOP_THREADS"
    monkeypatch.setenv(told, "")  # so that what is set below is undone
    monkeypatch.delenv(told)
    monkeypatch.setenv(module.VARIABLE, "3")
    backend._import_keras()
    assert os.environ[told] == "3"
