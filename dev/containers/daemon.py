"""Docker's daemon for these tests: a private socket, a data root that outlives the run.

Shared by all who need it at the same time: the first starts it, the last ends it, by its pid.
"""

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
_POLL_S = 0.1
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 60.0
_PRUNE_TRIES = 5
_TIDY_TIMEOUT_S = 300.0
# Three Rust toolchains with what they have compiled, and a few images' layers.
_BUILD_CACHE_BYTES = 12_000_000_000


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
        while not self._joined():
            if self._is_first():
                self._begin()
            time.sleep(_POLL_S)
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

    def _joined(self) -> bool:
        """Share the daemon that runs; waits for one who is starting or ending it."""
        if _pid():
            fcntl.flock(self._lock, fcntl.LOCK_SH)
        return bool(_pid())

    def _is_first(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return not _pid()

    def _begin(self) -> None:
        with step("starting docker's daemon"):
            _start()
        with step("removing what killed runs and old images have left"):
            _tidy()


def _start() -> None:
    # Not our child, and in a session of its own: ^C ends the tests, and they end the daemon.
    with _LOG.open("ab") as log:
        subprocess.run(
            [
                *("setsid", "--fork", str(_DOCKERD)),
                f"--data-root={DATA_ROOT}",
                f"--exec-root={client.RUN_DIR / 'exec'}",
                f"--pidfile={_PID_FILE}",
                f"--host=unix://{client.SOCKET}",
                # A range of its own: a daemon of this machine's own may have the usual one.
                "--bip=172.31.77.1/24",
                "--log-level=warn",
            ],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    wait_until(
        lambda: client.run("version").returncode == 0,
        "docker's daemon answers",
        timeout_s=_START_TIMEOUT_S,
        evidence=_log_tail,
    )


def _tidy() -> None:
    """Nobody else uses the daemon yet; the layers of present images and newer builds stay."""
    for what in ("container", "volume", "image"):
        client.docker(what, "prune", "--force", timeout_s=_TIDY_TIMEOUT_S)
    prune = ("builder", "prune", "--force", f"--keep-storage={_BUILD_CACHE_BYTES}")
    # A build that failed can leave a record without a snapshot. The prune that meets it fails and
    # removes it; what it has left only takes room.
    for _ in range(_PRUNE_TRIES):
        if client.run(*prune, timeout_s=_TIDY_TIMEOUT_S).returncode == 0:
            break


def _stop() -> None:
    if pid := _pid():
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not _pid(), "docker's daemon has ended", timeout_s=_STOP_TIMEOUT_S)


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
