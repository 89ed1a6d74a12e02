"""A container's limit of memory: a control group of version 1 or 2, and what the kernel counts."""

import os
import secrets
import time
from pathlib import Path
from typing import Self

_VERSION_1 = Path("/sys/fs/cgroup/memory")
_VERSION_2 = Path("/sys/fs/cgroup")
_REMOVE_TIMEOUT_S = 10.0


class MemoryGroup:
    """A group with a limit; give it to a Walsup, and leave the block after that has gone."""

    def __init__(self, limit_bytes: int) -> None:
        """Make the group: needs root, and a hierarchy that may be written.

        Raises:
            OSError: this machine has none.
        """
        self._is_first = (_VERSION_1 / "memory.limit_in_bytes").exists()
        top = _VERSION_1 if self._is_first else _VERSION_2
        self._path = top / f"walsup-{secrets.token_hex(4)}"
        self._path.mkdir()
        self._file("memory.limit_in_bytes", "memory.max").write_text(str(limit_bytes))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    @property
    def launcher(self) -> tuple[str, ...]:
        """The words before a command that run it inside."""
        enter = f'echo $$ > "{self._path}/cgroup.procs" && exec "$@"'
        return ("/bin/sh", "-c", enter, "sh")

    @property
    def peak_bytes(self) -> int:
        """The most that was ever charged, the page cache included."""
        return int(self._file("memory.max_usage_in_bytes", "memory.peak").read_text())

    @property
    def held_bytes(self) -> int:
        """What is charged now and cannot be dropped: private and shared memory, no cache."""
        stat = dict(line.split() for line in (self._path / "memory.stat").read_text().splitlines())
        private = "total_rss" if self._is_first else "anon"
        shared = "total_shmem" if self._is_first else "shmem"
        return int(stat[private]) + int(stat.get(shared, 0))

    @property
    def kills(self) -> int:
        """How many processes the kernel has killed in it for want of memory."""
        lines = self._file("memory.oom_control", "memory.events").read_text().splitlines()
        return int(dict(line.split() for line in lines)["oom_kill"])

    def remove(self) -> None:
        """Remove it; what has just been killed may still be in it for a moment."""
        deadline_s = time.monotonic() + _REMOVE_TIMEOUT_S
        while True:
            try:
                os.rmdir(self._path)  # noqa: PTH106 (its files go with it)
            except OSError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(0.05)
            else:
                return

    def _file(self, first: str, second: str) -> Path:
        return self._path / (first if self._is_first else second)
