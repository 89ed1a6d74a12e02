"""Reports the progress of a fetch: to the probes through PID 1, to the agent, and to the log."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from walsup import log, units
from walsup.archive.engine.restore_command import PROGRESS
from walsup.archive.faults import Fault
from walsup.archive.storage.fault_mapping import classify
from walsup.boot import wait_report
from walsup.boot.current_settings import Current
from walsup.boot.restore.backup_fetch import Fetched
from walsup.pid1_messages import Progress, Send
from walsup.system.private_files import write_private

T = TypeVar("T")

_LOGGED_EVERY_S = 10.0
_FIRST_RETRY_S = 0.25
_LONGEST_RETRY_S = 30.0


class Patience:
    """Waits for an archive that does not answer, without an end, and reports why.

    Each wait ends with a check of the secrets: a wrong one may have been corrected.
    """

    def __init__(self, send: Send, current: Current) -> None:
        self.send = send
        self._current = current
        self._told = ""

    def until_done(self, work: Callable[[], T]) -> T:
        """Do it, and again after each failure, until it succeeds."""
        failures = 0
        while True:
            try:
                return work()
            except Exception as raised:  # noqa: BLE001 (any failure is no answer)
                failures += 1
                fault = classify(raised)
            asyncio.run(self.wait(fault, failures))

    async def wait(self, fault: Fault, failures: int) -> None:
        """Report the fault; wait, longer each time."""
        self._told = wait_report.tell(self.send, fault, self._told, before="restore: ")
        await asyncio.sleep(units.backoff(failures, _FIRST_RETRY_S, _LONGEST_RETRY_S))
        self._current.look()


class Teller:
    """Reports how far the fetch of a base backup is."""

    def __init__(self, run_dir: Path, backup: str, send: Send) -> None:
        self._path = run_dir / PROGRESS
        self._backup = backup
        self._send = send
        self._logged_s = time.monotonic()

    def __call__(self, seen: Fetched) -> None:
        """Report it."""
        percent = min(99, 100 * seen.written_bytes // seen.total_bytes) if seen.total_bytes else 0
        left = f", about {units.show_duration(round(seen.left_s))} left" if seen.left_s else ""
        text = (
            f"restore: fetching {self._backup}: {units.show_bytes(seen.written_bytes)} of"
            f" {units.show_bytes(seen.total_bytes)} ({percent}%){left}"
        )
        self._send(Progress(text))
        progress = {
            "phase": "fetching",
            "backup": self._backup,
            "bytes": seen.written_bytes,
            "total_bytes": seen.total_bytes,
            "percent": percent,
            "left_s": seen.left_s,
        }
        write_private(self._path, json.dumps(progress))
        if time.monotonic() - self._logged_s > _LOGGED_EVERY_S:
            self._logged_s = time.monotonic()
            log.info("restore.progress", **progress)
