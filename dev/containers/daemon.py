"""Docker's daemon for these tests: a private socket, a data root that outlives the run.

Shared by all who need it at the same time: the first starts it, the last ends it, by its pid.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

from dev.containers import client
from dev.containers.steps import step
from dev.harness import wait_until

DATA_ROOT = Path("/var/lib/walsup-docker")
_DOCKERD = Path("/usr/sbin/dockerd")
_LOG = client.RUN_DIR / "dockerd.log"
_PID_FILE = client.RUN_DIR / "docker.pid"
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 60.0


class Daemon:
    """A context manager; containers of this run must be gone when it is left."""

    def __init__(self) -> None:
        self._lock = -1

    def __enter__(self) -> Self:
        for program in (_DOCKERD, client.DOCKER):
            if not program.exists():
                raise FileNotFoundError(f"{program} is missing: run dev/setup containers")
        client.RUN_DIR.mkdir(mode=0o700, exist_ok=True)
        self._lock = os.open(client.RUN_DIR / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX if not _pid() else fcntl.LOCK_SH)
        if not _pid():
            with step("starting docker's daemon"):
                _start()
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another run still uses it, and will end it
        else:
            with step("stopping docker's daemon"):
                _stop()
        finally:
            os.close(self._lock)


def _start() -> None:
    with _LOG.open("ab") as log:
        process = subprocess.Popen(
            [
                str(_DOCKERD),
                f"--data-root={DATA_ROOT}",
                f"--exec-root={client.RUN_DIR / 'exec'}",
                f"--pidfile={_PID_FILE}",
                f"--host=unix://{client.SOCKET}",
                # A private address range: a daemon of this machine's own may have the usual one.
                "--bip=172.31.77.1/24",
                "--log-level=warn",
                "--log-opt=max-size=50m",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # ^C ends the tests, which end it
        )

    def answers() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"dockerd ended with {process.returncode}\n{_log_tail()}")
        return client.run("version").returncode == 0

    wait_until(answers, "docker's daemon answers", timeout_s=_START_TIMEOUT_S, evidence=_log_tail)


def _stop() -> None:
    if not (pid := _pid()):
        return
    os.kill(pid, signal.SIGTERM)
    with contextlib.suppress(ChildProcessError):
        _wait_child(pid)
    wait_until(lambda: not _pid(), "docker's daemon has ended", timeout_s=_STOP_TIMEOUT_S)


def _wait_child(pid: int) -> None:
    deadline_s = time.monotonic() + _STOP_TIMEOUT_S
    while os.waitpid(pid, os.WNOHANG)[0] == 0 and time.monotonic() < deadline_s:
        time.sleep(0.1)


def _pid() -> int:
    """The daemon's pid; 0 when its file is old: only our own dockerd is ever ended."""
    try:
        pid = int(_PID_FILE.read_text())
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return 0
    return pid if f"--pidfile={_PID_FILE}".encode() in arguments else 0


def _log_tail() -> str:
    return "\n".join(_LOG.read_text(errors="replace").splitlines()[-20:])
