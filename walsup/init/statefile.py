"""PID 1's state file and termination message: key=value lines, replaced by rename.

An exec probe reads it without an interpreter; the agent reads it to learn what PID 1 does.
"""

import os
import time


class StateFile:
    """The file `state` in the run directory, written on every change and every 5 seconds."""

    __slots__ = ("_lines", "_path", "_written_s")

    def __init__(self, run_dir: str) -> None:
        self._path = os.path.join(run_dir, "state")
        self._lines = ""
        self._written_s = -1e9

    def write(self, fields: "dict[str, object]") -> bool:
        """Write `fields` if they changed or 5 seconds have passed; True when they changed."""
        lines = "".join(f"{key}={_flat(value)}\n" for key, value in fields.items())
        now_s = time.monotonic()
        changed = lines != self._lines
        if not changed and now_s - self._written_s < TOUCH_S:
            return False
        text = f"{lines}updated_at={int(time.time())}\n"
        if replace(self._path, text):
            self._lines, self._written_s = lines, now_s
        return changed


TOUCH_S = 5.0


def replace(path: str, text: str) -> bool:
    """Put `text` at `path` by rename; False when the file system refuses (full, read-only)."""
    try:
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".new", path)
    except OSError:
        return False
    return True


def write_termination(path: str, message: str) -> None:
    """Write the last word for Kubernetes (4096 bytes at most); a mount point, so no rename."""
    if not path:
        return
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(message.encode()[:4096].decode(errors="ignore"))
    except OSError:
        return  # the log line says the same


def _flat(value: object) -> str:
    return "" if value is None else str(value).replace("\n", " ")
