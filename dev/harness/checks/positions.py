"""A ledger that knows where in the WAL each of its rows is, and what a bucket must give back."""

import contextlib
import subprocess
import time
from typing import Self

from dev.harness.checks.witness import Ledger
from dev.harness.processes.pg import PgToolError
from dev.harness.processes.walsup import Walsup
from dev.harness.storage.s3 import S3Server

_SEGMENT_BYTES = 16 << 20
_PAUSE_S = 0.005


class PlacedLedger(Ledger):
    """Notes after each COMMIT a position behind it; goes on behind what a restore has left."""

    def __init__(self, walsup: Walsup, *, after: int = 0) -> None:
        """`after`: the number of the last row that is there."""
        super().__init__(walsup)
        self._placed = walsup
        self.acknowledged = after
        self.lsn: dict[int, int] = {}

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def _write(self) -> None:
        while not self._stop.is_set():
            number = self.acknowledged + 1
            try:
                # Two statements, so two transactions: the position lies behind the commit.
                shown = self._placed.tools.psql_each(
                    self._placed.address,
                    f"insert into ledger values ({number})",
                    "select pg_current_wal_lsn()",
                )
            except (PgToolError, OSError, subprocess.TimeoutExpired):
                self.failures += 1
                with contextlib.suppress(Exception):
                    self.acknowledged = int(
                        self._walsup.psql("select coalesce(max(n), 0) from ledger")
                    )
                time.sleep(0.05)
                continue
            high, _, low = shown.partition("/")
            self.lsn[number] = int(high, 16) << 32 | int(low, 16)
            self.acknowledged = number
            time.sleep(_PAUSE_S)


def archived_until(s3: S3Server, prefix: str) -> int:
    """The LSN up to which the newest timeline is in the bucket without a gap, by its listing."""
    names = sorted(
        {key.rpartition("/")[2][:24] for key in s3.keys(f"{prefix}/wal_005/") if _is_segment(key)}
    )
    if not names:
        return 0
    newest = [name for name in names if name[:8] == names[-1][:8]]
    numbers = sorted(int(name[8:16], 16) * 256 + int(name[16:], 16) for name in newest)
    end = numbers[0]
    for number in numbers:
        if number > end + 1:
            break
        end = number
    return (end + 1) * _SEGMENT_BYTES


def _is_segment(key: str) -> bool:
    stem = key.rpartition("/")[2].partition(".")
    return len(stem[0]) == 24 and stem[2] in {"zst", "lz4"}  # noqa: PLR2004 (a WAL name)
