"""The proof that nothing is left: whatever we started stays below us, and then is gone."""

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path

from dev.harness.processes.namespace import descendants

_PR_SET_CHILD_SUBREAPER = 36  # Source: linux/prctl.h
_PATIENCE_S = 3.0


def keep_orphans() -> None:
    """Become the parent of every orphan below us: no process of ours can hide from `survivors`."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def survivors() -> list[str]:
    """Processes of ours that are still there after a moment; they are killed then."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while True:
        _reap()
        alive = descendants(os.getpid())
        if not alive or time.monotonic() > deadline_s:
            break
        time.sleep(0.05)
    named = [_describe(pid) for pid in alive]
    for pid in alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return named


def remains(paths: list[Path]) -> list[str]:
    """Those of `paths` that still exist."""
    return [str(path) for path in paths if path.exists()]


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _describe(pid: int) -> str:
    try:
        argv = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        argv = []  # it ended meanwhile
    return f"{pid} {' '.join(argv)}".rstrip()
