"""The limit of a control group, as hosts and containers of both versions show it."""

from pathlib import Path

import pytest

from walsup.system.cgroup import memory_limit_bytes

MIB = 1 << 20
TOTAL = 4096 * MIB
NONE_1 = "9223372036854771712"
V1 = "35 32 0:31 {root} {mount} rw,nosuid - cgroup cgroup rw,memory"
V2 = "30 23 0:26 {root} {mount} rw,nosuid - cgroup2 cgroup2 rw"
PROC = "22 21 0:5 / /proc rw - proc proc rw"


def _machine(top: Path, cgroup: str, mountinfo: str, files: dict[str, str]) -> Path:
    self = top / "proc/self"
    self.mkdir(parents=True)
    (top / "proc/meminfo").write_text(f"MemTotal:       {TOTAL >> 10} kB\nMemFree: 1 kB\n")
    (self / "cgroup").write_text(cgroup)
    (self / "mountinfo").write_text(f"{PROC}\n{mountinfo}\n")
    for path, text in files.items():
        file = top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    return top


def _v1(root: str) -> str:
    return V1.format(root=root, mount="/sys/fs/cgroup/memory")


def _v2(root: str) -> str:
    return V2.format(root=root, mount="/sys/fs/cgroup")


ONE, TWO = "sys/fs/cgroup/memory/", "sys/fs/cgroup/"


@pytest.mark.parametrize(
    ("cgroup", "mountinfo", "files", "expected_mib"),
    [
        # version 2, a namespace of its own: the mount point is the group
        ("0::/\n", _v2("/"), {TWO + "memory.max": str(256 * MIB)}, 256),
        # version 2 without a namespace, the container's part mounted
        ("0::/kube/pod1/c1\n", _v2("/kube/pod1/c1"), {TWO + "memory.max": str(300 * MIB)}, 300),
        # nested: the smallest limit on the way up counts
        (
            "0::/pod/c\n",
            _v2("/"),
            {TWO + "pod/c/memory.max": "max", TWO + "pod/memory.max": str(512 * MIB)},
            512,
        ),
        (
            "0::/pod/c\n",
            _v2("/"),
            {TWO + "pod/c/memory.max": str(64 * MIB), TWO + "pod/memory.max": str(512 * MIB)},
            64,
        ),
        ("0::/\n", _v2("/"), {TWO + "memory.max": "max"}, 4096),
        ("0::/\n", _v2("/"), {}, 4096),
        # moved since the mount: the kernel shows a path above its root
        ("0::/../other\n", _v2("/"), {TWO + "memory.max": str(256 * MIB)}, 256),
        # version 1, in docker: the host's path, its last part mounted
        (
            "4:memory:/docker/abc\n0::/\n",
            _v1("/docker/abc"),
            {ONE + "memory.limit_in_bytes": str(256 * MIB)},
            256,
        ),
        # version 1 on the host, and beside others in one hierarchy
        (
            "4:cpu,memory:/a/b\n",
            _v1("/").replace("rw,memory", "rw,cpu,memory"),
            {ONE + "a/b/memory.limit_in_bytes": NONE_1, ONE + "a/memory.limit_in_bytes": "1048576"},
            1,
        ),
        ("4:memory:/\n", _v1("/"), {ONE + "memory.limit_in_bytes": NONE_1}, 4096),
        # larger than the machine
        ("0::/\n", _v2("/"), {TWO + "memory.max": str(1 << 50)}, 4096),
        # both mounted, the memory controller in version 1
        (
            "4:memory:/x\n0::/\n",
            _v1("/") + "\n" + V2.format(root="/", mount="/sys/fs/cgroup/unified"),
            {ONE + "x/memory.limit_in_bytes": str(128 * MIB)},
            128,
        ),
        ("", "garbage\n - \n", {}, 4096),
    ],
)
@pytest.mark.rule("probes-do-not-kill")
def test_the_limit(
    tmp_path: Path, cgroup: str, mountinfo: str, files: dict[str, str], expected_mib: int
) -> None:
    """None at all, "max" and absurd ones mean the machine's own memory."""
    machine = _machine(tmp_path, cgroup, mountinfo, files)
    assert memory_limit_bytes(machine) == expected_mib * MIB


def test_this_machine_has_some() -> None:
    """The real files."""
    assert 1 << 24 < memory_limit_bytes() < 1 << 60
