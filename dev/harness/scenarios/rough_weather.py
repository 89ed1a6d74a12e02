"""Rough weather, watched: what a walsup shows, every 0.1 s, from a fault to the time after it."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from dev.harness.processes.pg import PgBenchResult
from dev.harness.processes.waiting import wait_until
from dev.harness.processes.walsup import Walsup
from dev.harness.storage.s3 import S3Server

_POLL_S = 0.1
_RUN_S = 4
# What tells of an attempt that failed: the archiver's words, and the agent's.
_FAILED = ("archive command failed", '"event": "fault.appeared"')


@dataclass(slots=True)
class Sight:
    """What was seen of one fault. Times are seconds since it began; None: not seen.

    `deaf`: how often liveness was not 200. `oldest_state_s`: the state file's greatest age.
    """

    failed_s: float | None = None
    told_s: float | None = None
    green_s: float | None = None
    kinds: set[str] = field(default_factory=set)
    deaf: int = 0
    oldest_state_s: float = 0.0

    def __str__(self) -> str:
        times = (("failed", self.failed_s), ("told", self.told_s), ("green", self.green_s))
        shown = [f"{name} {at:5.1f} s" for name, at in times if at is not None]
        return ", ".join([*shown, f"deaf {self.deaf}", ", ".join(sorted(self.kinds))])


class Lookout:
    """Looks at probes, status, state file and log of one walsup."""

    def __init__(self, one: Walsup) -> None:
        self._one = one
        self.sight = Sight()
        self._began_s = 0.0
        self._read = 0

    def begin(self) -> None:
        """A fault begins now."""
        self.sight = Sight()
        self._began_s = time.monotonic()
        self._read = self._one.layout.log_file.stat().st_size

    @property
    def elapsed_s(self) -> float:
        """Since the fault began."""
        return time.monotonic() - self._began_s

    def look(self) -> dict[str, Any]:
        """The status, {} when nobody answers; what it shows is taken note of."""
        one, sight = self._one, self.sight
        lines = self._fresh_lines()
        if sight.failed_s is None and any(words in lines for words in _FAILED):
            sight.failed_s = self.elapsed_s
        alive, _ = one.http("/livez", timeout_s=1.0)
        sight.deaf += alive != 200  # noqa: PLR2004 (HTTP)
        with contextlib.suppress(FileNotFoundError):
            age_s = time.time() - (one.run_dir / "state").stat().st_mtime
            sight.oldest_state_s = max(sight.oldest_state_s, age_s)
        code, seen = one.http("/status", timeout_s=1.0)
        if code != 200 or not isinstance(seen, dict):  # noqa: PLR2004 (HTTP)
            return {}
        sight.kinds |= {fault["kind"] for fault in seen["faults"].values()}
        return seen

    def until(
        self, seen: Callable[[dict[str, Any]], object], what: str, *, timeout_s: float
    ) -> None:
        """Look until a status is as wanted."""

        def look() -> bool:
            found = self.look()
            if found and seen(found):
                return True
            time.sleep(_POLL_S)
            return False

        wait_until(look, what, timeout_s=timeout_s, evidence=self._evidence)

    def hold(self, duration_s: float) -> None:
        """Look for so long."""
        until_s = time.monotonic() + duration_s
        while time.monotonic() < until_s:
            self.look()
            time.sleep(_POLL_S)

    def _fresh_lines(self) -> str:
        with self._one.layout.log_file.open("rb") as file:
            file.seek(self._read)
            lines = file.read()
        self._read += len(lines)
        return lines.decode(errors="replace")

    def _evidence(self) -> str:
        _, seen = self._one.http("/status", timeout_s=1.0)
        return f"{self.sight}\n{seen}\n{self._one.tail()}"


class Load:
    """pgbench for as long as the block lasts, one short run after the other."""

    def __init__(self, one: Walsup, *, rate: int = 60) -> None:
        self._one = one
        self._rate = rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.results: list[PgBenchResult] = []

    def __enter__(self) -> Self:
        self._one.tools.pgbench_init(self._one.address, scale=1)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    @property
    def transactions(self) -> int:
        """How many were committed."""
        return sum(result.transactions for result in self.results)

    @property
    def is_clean(self) -> bool:
        """No client of it has failed."""
        return bool(self.results) and all(result.is_clean for result in self.results)

    def _run(self) -> None:
        options = ("-R", str(self._rate))
        while not self._stop.is_set():
            bench = self._one.tools.pgbench(
                self._one.address, duration_s=_RUN_S, clients=2, options=options
            )
            self.results.append(bench.result())


def etags(s3: S3Server, prefix: str) -> dict[str, str]:
    """The tag of every object below `wal_005`, by key, read by boto3."""
    pages = s3.boto().get_paginator("list_objects_v2")
    return {
        entry["Key"]: entry["ETag"]
        for page in pages.paginate(Bucket=s3.bucket, Prefix=f"{prefix}/wal_005/")
        for entry in page.get("Contents", [])
    }
