"""How much memory this container may use: the limit of its control group, version 1 or 2."""

import os
from pathlib import Path


def memory_limit_bytes(root: Path = Path("/")) -> int:
    """Return the smallest limit above this process; without one, the machine's memory.

    `root`: where /proc and the mount points are looked for.
    """
    total = _machine_bytes(root)
    limits = (_limit(file) for file in _files(root))
    return min([total, *(limit for limit in limits if limit is not None)])


def _files(root: Path) -> list[Path]:
    """Return the limit files of our group and of those above it, as far as they are mounted."""
    found: list[Path] = []
    groups = _groups(root)
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3:  # noqa: PLR2004 (proc_pid_mountinfo(5))
            continue
        if kind[0] == "cgroup2":
            group, name = groups.get(""), "memory.max"
        elif kind[0] == "cgroup" and "memory" in kind[2].split(","):
            group, name = groups.get("memory"), "memory.limit_in_bytes"
        else:
            continue
        if group is not None:
            top = root / fields[4].lstrip("/")
            found += [folder / name for folder in _upwards(top, _inside(group, fields[3]))]
    return found


def _groups(root: Path) -> dict[str, str]:
    """Return the group's path by controller ("" for version 2), as the kernel names it."""
    found: dict[str, str] = {}
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        found |= dict.fromkeys(controllers.split(","), path)
    return found


def _inside(group: str, mounted: str) -> str:
    """Return the group's path below the mount point.

    In a container without its own namespace the path is the host's, and what is mounted is
    its last part: then the mount point is the group.
    """
    inside = os.path.relpath(group or "/", mounted or "/")
    return "" if inside == "." or inside.startswith("..") else inside


def _upwards(top: Path, inside: str) -> list[Path]:
    folder = top / inside
    found = [folder]
    while folder != top:
        folder = folder.parent
        found.append(folder)
    return found


def _limit(file: Path) -> int | None:
    """Read one limit; "max" or 2^63 less a page means none, and so does an absent file."""
    try:
        limit = int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return limit if 0 < limit < 1 << 60 else None


def _machine_bytes(root: Path) -> int:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) << 10
    return 1 << 60


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
