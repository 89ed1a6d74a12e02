"""A pod of deploy/*.yaml as docker can run it: the same environment, user, mounts and limits.

What kubelet does and docker does not is done as kubelet does it: fsGroup on volumes, a Secret's
files behind a symlink, tmpfs for emptyDir.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

_MIB = {"Mi": 1, "Gi": 1024}


class Pod:
    """The pod of the one StatefulSet in a file, and its one container."""

    def __init__(self, file: Path) -> None:
        found = [one for one in yaml.safe_load_all(file.read_text()) if one]
        self.stateful_set = next(one for one in found if one["kind"] == "StatefulSet")
        self.spec: dict[str, Any] = self.stateful_set["spec"]["template"]["spec"]
        self.container: dict[str, Any] = self.spec["containers"][0]
        self.security: dict[str, Any] = self.spec["securityContext"]

    def environment(self) -> dict[str, str]:
        """The container's variables, and what kubelet adds to every one."""
        own = {entry["name"]: entry["value"] for entry in self.container["env"]}
        return {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"} | own

    def flags(self, folder: Path, secret: Mapping[str, str]) -> list[str]:
        """`docker run`'s, with the volumes as directories below `folder`."""
        own = self.container["securityContext"]
        limit_mib = _mib(self.container["resources"]["limits"]["memory"])
        return [
            *("--user", f"{self.security['runAsUser']}:{self.security['runAsGroup']}"),
            *("--group-add", str(self.security["fsGroup"])),
            *("--memory", f"{limit_mib}m", "--memory-swap", f"{limit_mib}m"),
            *(["--read-only"] if own["readOnlyRootFilesystem"] else []),
            *(word for cap in own["capabilities"]["drop"] for word in ("--cap-drop", cap)),
            *([] if own["allowPrivilegeEscalation"] else ["--security-opt", "no-new-privileges"]),
            *self._mounts(folder, secret),
        ]

    def _mounts(self, folder: Path, secret: Mapping[str, str]) -> Iterator[str]:
        volumes = {volume["name"]: volume for volume in self.spec["volumes"]}
        group = self.security["fsGroup"]
        for mount in self.container["volumeMounts"]:
            name, at = mount["name"], mount["mountPath"]
            volume = volumes.get(name, {})
            if "emptyDir" in volume and at == "/dev/shm":  # noqa: S108 (docker has a flag for it)
                yield from ("--shm-size", f"{_mib(volume['emptyDir']['sizeLimit'])}m")
            elif "emptyDir" in volume:
                size = _mib(volume["emptyDir"]["sizeLimit"])
                yield from ("--tmpfs", f"{at}:mode=2777,gid={group},size={size}m")
            elif "secret" in volume:
                _project(folder / name, secret, int(volume["secret"]["defaultMode"]), group)
                yield from ("--volume", f"{folder / name}:{at}:ro")
            else:
                _claim(folder / name, group)
                yield from ("--volume", f"{folder / name}:{at}")


def _project(folder: Path, secret: Mapping[str, str], mode: int, group: int) -> None:
    """A Secret's volume: files of root and fsGroup in a directory behind ..data."""
    data = folder / "..2026_01_01"
    data.mkdir(parents=True)
    for name, value in secret.items():
        (data / name).write_text(value)
        (data / name).chmod(mode)
        os.chown(data / name, 0, group)
        (folder / name).symlink_to(Path("..data", name))
    (folder / "..data").symlink_to(data.name)


def _claim(folder: Path, group: int) -> None:
    """A new ext4 volume after kubelet has given it to fsGroup."""
    (folder / "lost+found").mkdir(parents=True)
    for path, mode in ((folder, 0o2775), (folder / "lost+found", 0o2770)):
        os.chown(path, 0, group)
        path.chmod(mode)


def _mib(quantity: str) -> int:
    match = re.fullmatch(r"(\d+)(Mi|Gi)", quantity)
    if match is None:
        raise ValueError(f"{quantity!r} is no size in Mi or Gi")
    return int(match[1]) * _MIB[match[2]]
