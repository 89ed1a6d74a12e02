"""What becomes of a directory when its container ends, told by /proc/self/mountinfo. Pure."""

import re
from typing import NamedTuple

# Docker and Podman: …/volumes/<id>/_data; containerd in Kubernetes: …/volumes/<id>.
# Source: moby daemon/create_unix.go and volume/local; podman libpod/container_internal.go;
# containerd, internal/cri/server/container_create_linux.go.
_ANONYMOUS = re.compile(r"/volumes/([0-9a-f]{64})(?:/_data)?(?:/|$)")
_EMPTY_DIR = "/volumes/kubernetes.io~empty-dir/"
_IN_MEMORY = ("tmpfs", "ramfs")
_FIELDS_BEFORE_OPTIONAL = 6


class Mount(NamedTuple):
    """A line of mountinfo: what of the file system (`root`) is seen where (`point`)."""

    root: str
    point: str
    kind: str


class Fate(NamedTuple):
    """Why a directory is lost with its container; `chosen`: an operator asked for such a place."""

    words: str
    chosen: bool


def parse(mountinfo: str) -> list[Mount]:
    """Return the mounts in the order of mounting. Source: Linux, Documentation/filesystems/proc."""
    found: list[Mount] = []
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if separator and len(fields) >= _FIELDS_BEFORE_OPTIONAL:
            found.append(Mount(_unescaped(fields[3]), _unescaped(fields[4]), rest[0]))
    return found


def holding(mounts: list[Mount], path: str) -> Mount | None:
    """Return the mount that an absolute path without links lies on: the last of the longest."""
    above = [m for m in mounts if f"{path}/".startswith(m.point.rstrip("/") + "/")]
    longest = max((len(m.point) for m in above), default=0)
    return next((m for m in reversed(above) if len(m.point) == longest), None)


def fate(mount: Mount | None) -> Fate | None:
    """Return why it is lost; None when it is on a named volume.

    A root that is no mount of this view is the container's own all the same.
    """
    if mount is None or mount.point == "/":
        return Fate("the container's own file system: no volume is mounted there", chosen=False)
    if found := _ANONYMOUS.search(mount.root):
        return Fate(f"an anonymous volume ({found[1][:12]}…) at {mount.point}", chosen=False)
    if mount.kind in _IN_MEMORY:
        return Fate(f"memory ({mount.kind} at {mount.point})", chosen=True)
    if _EMPTY_DIR in mount.root:
        return Fate(f"an emptyDir of the pod at {mount.point}", chosen=True)
    return None


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
