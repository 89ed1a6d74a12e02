"""Processes under measurement: PID 1 of a namespace, and the moment at which one ends."""

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from dev.harness import NotSeenError
from dev.harness.processes.namespace import launcher

_END_TIMEOUT_S = 60.0


class Ending:
    """When a process ends, to the millisecond: waiting with a timeout would look every 50 ms."""

    def __init__(self, pid: int) -> None:
        self._descriptor = os.pidfd_open(pid)
        self._ended_s: float | None = None
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def at_s(self) -> float:
        """The monotonic time of its end.

        Raises:
            NotSeenError: it has not ended in a minute.
        """
        self._thread.join(_END_TIMEOUT_S + 1)
        if self._ended_s is None:
            raise NotSeenError(f"a process did not end within {_END_TIMEOUT_S:g} s")
        return self._ended_s

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        if poll.poll(_END_TIMEOUT_S * 1000):
            self._ended_s = time.monotonic()
        os.close(self._descriptor)


class Container:
    """A program as PID 1 of a namespace of its own (where allowed), both sides alike.

    A context manager; nothing of it outlives the block.
    """

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as output:
            self.began_s = time.monotonic()
            self._process = subprocess.Popen(
                [*launcher(), *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd="/",
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.init_pid, signal.SIGKILL)  # the namespace goes with it
            self._process.kill()
        self._process.wait()

    @property
    def init_pid(self) -> int:
        """PID 1 as it is seen from outside."""
        if not launcher():
            return self._process.pid
        file = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        children = file.read_text().split() if file.exists() else []
        if not children:
            raise ProcessLookupError(f"{self._process.args!r} has ended")
        return int(children[0])

    def end(self, number: int) -> None:
        """Send a signal to PID 1 and wait until it has ended."""
        ending = Ending(self.init_pid)
        os.kill(self.init_pid, number)
        ending.at_s()
        self._process.wait()
