"""Runs the engine's backup-fetch: measures its progress, ends it when nothing moves."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from walsup.archive.engine import run_once
from walsup.boot import run_program

# A slow fetch continues. Only one that writes and reads nothing at all for so long is given up.
SILENT_S = 300.0
_LOOK_EVERY_S = 0.05
_TELL_EVERY_S = 1.0
_RENEW_EVERY_S = 5.0
_KILLED_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The progress of a fetch: bytes written of `total_bytes` (0: not known), in some seconds."""

    written_bytes: int
    total_bytes: int
    elapsed_s: float

    @property
    def left_s(self) -> float | None:
        """Return the remaining seconds at this rate; None: not known."""
        if not self.written_bytes or not self.total_bytes:
            return None
        rest_bytes = max(0, self.total_bytes - self.written_bytes)
        return rest_bytes * self.elapsed_s / self.written_bytes


def run(  # noqa: PLR0913 (each is one fact)
    argv: Sequence[str],
    output: Path,
    *,
    lock: int,
    more: Mapping[str, str],
    total_bytes: int,
    tell: Callable[[Fetched], None],
    renew: Callable[[], None] = lambda: None,
    silent_s: float = SILENT_S,
) -> int:
    """Run it to its end; return its exit code, -9 when it was given up.

    It dies with this process, and holds the data directory's lock (rule directory-lock). `renew`:
    called every 5 s.
    """
    began_s = time.monotonic()
    process = run_program.start(argv, output, run_once.environment() | dict(more), lock)
    moved = (0, 0)
    moved_s = told_s = renewed_s = began_s
    while (code := process.poll()) is None:
        time.sleep(_LOOK_EVERY_S)
        now_s = time.monotonic()
        progress = _moved(process.pid)
        if progress != moved:
            moved, moved_s = progress, now_s
        if now_s - told_s >= _TELL_EVERY_S:
            told_s = now_s
            tell(
                Fetched(
                    written_bytes=progress[1], total_bytes=total_bytes, elapsed_s=now_s - began_s
                )
            )
        if now_s - renewed_s >= _RENEW_EVERY_S:
            renewed_s = now_s
            renew()
        if now_s - moved_s > silent_s:
            process.kill()
            try:
                process.wait(_KILLED_S)
            except subprocess.TimeoutExpired:
                return -9  # it hangs in the kernel (rule hung-filesystem)
    return code


def _moved(pid: int) -> tuple[int, int]:
    """Return what a process has read and written so far, in bytes.

    Source: proc(5), rchar, wchar.
    """
    try:
        lines = Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines()
    except OSError:
        return (0, 0)
    found = dict(line.split(": ") for line in lines)
    return int(found.get("rchar", 0)), int(found.get("wchar", 0))
