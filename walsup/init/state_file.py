"""PID 1's state file and termination message: key=value lines, replaced by rename.

An exec probe reads it without an interpreter; the agent reads it to learn what PID 1 does.
"""

# ruff: noqa: PTH105, PTH118, PTH123 -- pathlib would cost PID 1 a megabyte

import fcntl
import os
import time

TOUCH_S = 5.0
LONGEST_TERMINATION_BYTES = 4096  # Source: Kubernetes, terminationMessagePath


class StateFile:
    """The file `state` in the run directory, written on every change and every 5 seconds.

    Only the process that holds the directory's lock writes it: a second `walsup run` in one
    container must not tell the agent of the first that everything has ended.
    """

    __slots__ = ("_lines", "_lock", "_path", "_run_dir", "_tried_s")

    def __init__(self, run_dir: str) -> None:
        self._run_dir = run_dir
        self._lock = -1
        self._path = os.path.join(run_dir, "state")
        self._lines = ""
        self._tried_s = float("-inf")

    def write(self, fields: "dict[str, object]") -> bool:
        """Write `fields` if they changed or 5 seconds have passed; return whether they changed."""
        lines = "".join(f"{key}={_flat(value)}\n" for key, value in fields.items())
        changed = lines != self._lines
        if not changed and self.due_in() > 0:
            return False
        self._tried_s = time.monotonic()
        text = f"{lines}updated_at={int(time.time())}\n"
        if not self.is_ours() or not (replace(self._path, text) or _overwrite(self._path, text)):
            return False
        self._lines = lines
        return changed

    def is_ours(self) -> bool:
        """Return whether this process has locked the run directory; lock it when it is free."""
        if self._lock < 0:
            try:
                descriptor = os.open(self._run_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError:
                return False
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                return False
            self._lock = descriptor
        return True

    def due_in(self) -> float:
        """Return the seconds until it must be written again."""
        return max(0.0, self._tried_s + TOUCH_S - time.monotonic())


def replace(path: str, text: str) -> bool:
    """Put `text` at `path` by rename; return False when the file system is full or read-only."""
    try:
        with open(path + ".new", "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        os.replace(path + ".new", path)
    except OSError:
        return False
    return True


def _overwrite(path: str, text: str) -> bool:
    """Write over the old state: on a full tmpfs there is no room for a second file.

    The liveness probe would read an old state as a hung PID 1.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        content = text.encode(errors="replace")
        written = os.write(descriptor, content)
        os.ftruncate(descriptor, written)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return written == len(content)


def write_termination(path: str, message: str) -> None:
    """Write the termination message for Kubernetes (at most 4096 bytes), without a rename."""
    if not path:
        return
    text = message.encode(errors="replace")[:LONGEST_TERMINATION_BYTES].decode(errors="ignore")
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return  # the log line says the same


def _flat(value: object) -> str:
    return "" if value is None else " ".join(str(value).splitlines())
