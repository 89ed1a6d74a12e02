"""What tests look for: the status, the bucket by an independent reader, a ledger of commits."""

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from dev.harness.processes.machine import PYTHON
from dev.harness.processes.pg import PgToolError
from dev.harness.processes.walsup import Walsup
from dev.harness.storage.s3 import S3Server

T = TypeVar("T")

_LEDGER_PAUSE_S = 0.005
_LEDGER_ENDS_WITHIN_S = 120.0
_WRITTEN = "select case when pg_is_in_recovery() then '0/0' else pg_current_wal_lsn()::text end"


class Watched(Protocol):
    """A running walsup: a Walsup, or a Box of dev.containers."""

    def http(self, path: str) -> tuple[int, Any]:
        """Status and body."""

    def psql(self, sql: str, **options: Any) -> str:  # noqa: ANN401 - PgTools.psql's
        """The answer to `sql`."""

    def wait_for(self, look: Callable[[], T | None], what: str, *, timeout_s: float = ...) -> T:
        """The first truthy answer of `look`."""


def status(walsup: Watched) -> dict[str, Any]:
    """`/status`, {} while nobody answers."""
    code, body = walsup.http("/status")
    return body if code == 200 and isinstance(body, dict) else {}  # noqa: PLR2004 (HTTP)


def wait_protected(walsup: Watched, *, timeout_s: float = 60.0) -> dict[str, Any]:
    """Wait until gate, base backup and bucket are as they should be; gives the status."""

    def look() -> dict[str, Any] | None:
        seen = status(walsup)
        return seen if seen.get("protected") else None

    return walsup.wait_for(look, "the database is protected", timeout_s=timeout_s)


def wait_fault(walsup: Watched, subject: str, *, timeout_s: float = 30.0) -> dict[str, Any]:
    """Wait until a fault stands for a subject; gives it."""

    def look() -> dict[str, Any] | None:
        found = status(walsup).get("faults", {}).get(subject)
        return found if isinstance(found, dict) else None

    return walsup.wait_for(look, f"a fault of the {subject}", timeout_s=timeout_s)


def wait_no_lag(walsup: Watched, *, timeout_s: float = 60.0) -> dict[str, Any]:
    """Wait until everything that is committed by now is proven; gives the status.

    What a status shows may have been measured before the caller's last statement.
    """

    def read() -> str | None:
        with contextlib.suppress(FileNotFoundError, PgToolError):
            return walsup.psql(_WRITTEN)
        return None

    written = _lsn(walsup.wait_for(read, "the database says how far it has written"))

    def look() -> dict[str, Any] | None:
        seen = status(walsup)
        lag = seen.get("lag", {})
        idle = lag.get("known") and lag.get("idle") and _lsn(lag.get("current_lsn")) >= written
        return seen if idle else None

    return walsup.wait_for(look, "there is no lag", timeout_s=timeout_s)


def _lsn(shown: str | None) -> int:
    """An LSN as PostgreSQL shows it, in bytes."""
    high, _, low = (shown or "0/0").partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def segments(s3: S3Server, prefix: str) -> list[str]:
    """The names of the segments in the bucket, without extension, read by boto3."""
    names = (key.rpartition("/")[2].partition(".")[0] for key in s3.keys(f"{prefix}/wal_005/"))
    return sorted({name for name in names if len(name) == 24})  # noqa: PLR2004 (a WAL name)


def sentinels(s3: S3Server, prefix: str) -> list[str]:
    """The keys of the finished base backups."""
    keys = s3.keys(f"{prefix}/basebackups_005/")
    return [key for key in keys if key.endswith("_backup_stop_sentinel.json")]


def owner(s3: S3Server, prefix: str) -> dict[str, Any]:
    """owner.json."""
    found: dict[str, Any] = json.loads(s3.get(f"{prefix}/walsup/owner.json"))
    return found


def cli(walsup: Walsup, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run another command of walsup in the same environment."""
    return subprocess.run(
        [str(PYTHON), "-I", "-m", "walsup", *arguments],
        env=walsup.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def verdict(walsup: Walsup) -> str:
    """The verdict of the last stop, as the termination message has it."""
    path = Path(walsup.environment["WALSUP_TERMINATION_LOG"])
    return path.read_text().strip() if path.exists() else ""


class Ledger:
    """A client that writes numbered rows and notes each number after its COMMIT."""

    def __init__(self, walsup: Watched) -> None:
        self._walsup = walsup
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self.acknowledged = 0
        self.failures = 0

    def __enter__(self) -> Self:
        self._walsup.psql("create table if not exists ledger (n bigint primary key)")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(_LEDGER_ENDS_WITHIN_S)
        if self._thread.is_alive():
            raise TimeoutError("the ledger's client does not end: what it has written is not known")

    def rows(self) -> int:
        """How many rows the database has; numbers are gapless or the answer is -1."""
        count, highest = self._walsup.psql(
            "select count(*), coalesce(max(n), 0) from ledger"
        ).split("|")
        return int(count) if count == highest else -1

    def _write(self) -> None:
        number = self.acknowledged
        while not self._stop.is_set():
            number += 1
            try:
                self._walsup.psql(f"insert into ledger values ({number})", timeout_s=15)
            except (PgToolError, OSError, subprocess.TimeoutExpired):
                self.failures += 1
                number -= 1  # unless the database says that it was committed
                with contextlib.suppress(Exception):
                    number = int(self._walsup.psql("select coalesce(max(n), 0) from ledger"))
                time.sleep(0.1)
                continue
            self.acknowledged = number
            time.sleep(_LEDGER_PAUSE_S)
