"""What a directory lies on, by mountinfo as real runtimes write it."""

import os
from pathlib import Path

import pytest

from walsup.system.mountinfo import Mount, fate, holding, parse

ID = "0f3c5a" + "9" * 58
OVERLAY = (
    "1042 905 0:61 / / rw,relatime master:310 - overlay overlay rw,lowerdir=/var/lib/docker/"
    "overlay2/l/AB:/var/lib/docker/overlay2/l/CD,upperdir=/u,workdir=/w\n"
)
READ_ONLY = OVERLAY.replace(" / / rw,", " / / ro,")
PROC = "1043 1042 0:64 / /proc rw,nosuid - proc proc rw\n"
# A real one of each, with only the place of the mount made alike.
NAMED = "1060 1042 259:1 /var/lib/docker/volumes/pgdata/_data /data rw - ext4 /dev/nvme0n1p1 rw\n"
ANONYMOUS = f"1060 1042 259:1 /lib/docker/volumes/{ID}/_data /data rw master:1 - xfs /dev/sdb rw\n"
PODMAN = (
    f"911 870 0:45 /home/me/.local/share/containers/storage/volumes/{ID}/_data /data rw - b b\n"
)
CONTAINERD = (
    "2301 2290 8:1 /var/lib/containerd/io.containerd.grpc.v1.cri/containers/"
    f"{ID[::-1]}/volumes/{ID} /data rw,relatime - ext4 /dev/sda1 rw\n"
)
CLAIM = "2302 2290 8:32 / /data rw,relatime - ext4 /dev/sdc rw\n"
SUB_PATH = "2303 2290 8:32 /db-0 /data rw,relatime - ext4 /dev/sdc rw\n"
POD = "/var/lib/kubelet/pods/6f1c/volumes/kubernetes.io~"
EMPTY_DIR = f"2304 2290 8:1 {POD}empty-dir/data /data rw - ext4 /dev/sda1 rw\n"
HOST_PATH = f"2305 2290 8:1 {POD}local-volume/pv-7 /data rw - ext4 /dev/sda1 rw\n"
IN_MEMORY = "2306 2290 0:99 / /data rw,relatime - tmpfs tmpfs rw,size=65536k\n"
WITH_SPACE = r"2307 2290 8:32 / /my\040data rw - ext4 /dev/sdc rw" + "\n"


@pytest.mark.parametrize(
    ("mountinfo", "path", "said", "chosen"),
    [
        (OVERLAY + PROC, "/data", "container's own", "no"),
        (READ_ONLY + PROC, "/data/pg", "container's own", "no"),
        (PROC, "/data", "container's own", "no"),
        (OVERLAY + ANONYMOUS, "/data", "an anonymous volume (0f3c5a999999…) at /data", "no"),
        (OVERLAY + ANONYMOUS, "/data/17/docker", "anonymous", "no"),
        (OVERLAY + PODMAN, "/data", "anonymous", "no"),
        (OVERLAY + CONTAINERD, "/data", "anonymous", "no"),
        (OVERLAY + ANONYMOUS, "/database", "container's own", "no"),
        (OVERLAY + IN_MEMORY, "/data", "memory (tmpfs at /data)", "yes"),
        (OVERLAY + EMPTY_DIR, "/data/pgdata", "an emptyDir of the pod", "yes"),
        # The anonymous one of the image, with the operator's above or below it.
        (OVERLAY + ANONYMOUS + CLAIM, "/data", "", "no"),
        (OVERLAY + CLAIM + ANONYMOUS, "/data", "anonymous", "no"),
    ],
)
@pytest.mark.rule("empty-means-listed")
def test_what_is_lost_with_its_container(mountinfo: str, path: str, said: str, chosen: str) -> None:
    """The last of the longest mount points decides, and whether somebody has chosen it."""
    found = fate(holding(parse(mountinfo), path))
    assert (found.words if found else "").find(said) >= 0
    assert (found is not None) == bool(said)
    assert found is None or found.chosen == (chosen == "yes")


@pytest.mark.parametrize("volume", [NAMED, CLAIM, SUB_PATH, HOST_PATH])
@pytest.mark.parametrize("path", ["/data", "/data/pgroot/data"])
@pytest.mark.rule("empty-means-listed")
def test_a_volume_is_a_volume(volume: str, path: str) -> None:
    """And a directory below it lies on it."""
    assert fate(holding(parse(OVERLAY + PROC + volume), path)) is None


def test_what_is_written_in_octal_is_a_blank() -> None:
    """And a line that is none is passed over."""
    assert parse(WITH_SPACE + "nonsense\n") == [Mount("/", "/my data", "ext4")]


def test_this_machine_s_own() -> None:
    """The kernel's real text: everything lies on something."""
    found = parse(Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
    assert holding(found, os.path.realpath("/proc/self")) == holding(found, "/proc")
    here = holding(found, "/proc")
    assert here is not None
    assert (here.point, here.kind) == ("/proc", "proc")
