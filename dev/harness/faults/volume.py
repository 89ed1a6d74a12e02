"""A file system of its own: one that fills up, becomes read-only, or hangs in the kernel."""

import atexit
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from dev.harness.processes.machine import Machine


class Volume:
    """A small ext4 in a loop mount; needs root.

    `freeze` makes every writer hang in state D, deaf to KILL, as a dead NFS server does.
    """

    def __init__(self, machine: Machine, *, megabytes: int) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="walsup-volume-", dir="/tmp"))
        self.base.chmod(0o755)
        self.path = self.base / "mounted"
        self._machine = machine
        self._megabytes = megabytes
        self._frozen = self._mounted = False

    def __enter__(self) -> Self:
        image = self.base / "image"
        with image.open("wb") as file:
            file.truncate(self._megabytes << 20)
        # Without reserved blocks: what is free is free for everybody.
        _run("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", str(image))
        self.path.mkdir()
        _run("mount", "-o", "loop", str(image), str(self.path))
        self._mounted = True
        atexit.register(self.close)
        self.archive.mkdir()
        self._machine.give_to_database(self.archive)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def archive(self) -> Path:
        """A directory of the database's user on it."""
        return self.path / "archive"

    def freeze(self) -> None:
        """Let every write hang until `thaw`."""
        _run("fsfreeze", "--freeze", str(self.path))
        self._frozen = True

    def thaw(self) -> None:
        """End a freeze."""
        if self._frozen:
            _run("fsfreeze", "--unfreeze", str(self.path))
            self._frozen = False

    def read_only(self, *, on: bool) -> None:
        """Make every write fail, or not any more."""
        _run("mount", "-o", f"remount,{'ro' if on else 'rw'}", str(self.path))

    def close(self) -> None:
        """Thaw it, unmount it, remove it."""
        atexit.unregister(self.close)
        self.thaw()
        if self._mounted:
            _run("umount", "--lazy", str(self.path))
            self._mounted = False
        _run("rm", "-rf", "--one-file-system", str(self.base))


def _run(*argv: str) -> None:
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode:
        problem = f"{argv} ended with {done.returncode}: {done.stderr}"
        raise RuntimeError(problem)
