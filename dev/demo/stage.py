"""What a run of the demo has for itself, and how all of it goes away."""

import contextlib
from pathlib import Path
from typing import Any

from dev.demo.lagwatch import LagWatch
from dev.demo.narrator import Narrator
from dev.harness import Machine, PgBench, S3Server, Walsup
from dev.harness.checks.positions import PlacedLedger

_ENVIRONMENT = {
    # An unfinished segment is archived after 3 s, so that a reader sees the lag fall to 0.
    "WALSUP_ARCHIVE_TIMEOUT": "3s",
}


class Stage:
    """The S3 server, walsup, the load and the narrator; laid out, nothing started yet."""

    def __init__(self, machine: Machine) -> None:
        self.narrator = Narrator()
        self.machine = machine
        self.s3 = S3Server(bucket="walsup-demo")
        try:
            self.walsup = Walsup(
                machine,
                s3=self.s3,
                prefix="demo",
                env=_ENVIRONMENT,
                # walsup listens everywhere, as a container does; a demo has no business to.
                args=["-c", "listen_addresses=127.0.0.1"],
            )
        except BaseException:
            self.s3.close()
            raise
        self.prefix = self.walsup.prefix
        self.load: PgBench | None = None
        self.lag_under_load: LagWatch | None = None
        self.under_load = contextlib.ExitStack()
        self.verdict = ""
        self.ledger: PlacedLedger | None = None
        self.clone: Walsup | None = None

    @property
    def directories(self) -> list[Path]:
        """Everything on the disk that this run made."""
        clones = [self.clone.layout.base] if self.clone else []
        return [self.s3.directory, self.walsup.layout.base, *clones, *self.s3.sockets()]

    @property
    def bench(self) -> PgBench:
        """The pgbench in the background.

        Raises:
            RuntimeError: it was not started.
        """
        if self.load is None:
            raise RuntimeError("pgbench was not started")
        return self.load

    def status(self) -> dict[str, Any]:
        """The answer of `/status`; empty while nobody answers."""
        code, body = self.walsup.http("/status", timeout_s=2.0)
        return dict(body) if code else {}

    def close(self) -> None:
        """Kill what runs and remove the directories; each part even when another one fails."""
        with contextlib.ExitStack() as last:
            last.callback(self.s3.close)
            last.callback(self.walsup.close)
            if self.clone is not None:
                last.callback(self.clone.close)
            if self.load is not None and self.load.is_running:
                last.callback(self.load.kill)
            last.callback(self.under_load.close)
