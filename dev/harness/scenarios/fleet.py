"""Two or three walsups that share one archive, and what operators and machines do to them."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from dev.harness.checks.witness import cli
from dev.harness.processes.machine import Machine
from dev.harness.processes.pg import PgToolError
from dev.harness.processes.walsup import Walsup
from dev.harness.storage.s3 import S3Server

LEASE_S = 1.0
_SETTINGS = {
    "WALSUP_LEASE": f"{LEASE_S:g}s",
    "WALSUP_ARCHIVE_TIMEOUT": "2s",
    "WALSUP_STOP_GRACE": "15s",
}
_GONE = (ProcessLookupError, FileNotFoundError, RuntimeError, ValueError)


class Disk:
    """A data directory; it keeps its contents under another path when it has been replaced."""

    def __init__(self, path: Path) -> None:
        self.path = path


class Node:
    """A container of the fleet, and the volume that it has now."""

    def __init__(self, one: Walsup, name: str) -> None:
        self.walsup = one
        self.name = name
        self.disk = Disk(one.pgdata)
        self.paused_at_s: float | None = None
        self.moved = False
        self._buried = 0

    @property
    def runs(self) -> bool:
        """It runs, or is paused."""
        return self.walsup.is_running

    @property
    def is_paused(self) -> bool:
        """All its processes stand still."""
        return self.paused_at_s is not None

    @property
    def is_writable(self) -> bool:
        """Its volume is there, and nobody writes into it: a copy of it is what a snapshot has."""
        return self.disk.path.exists() and (not self.runs or self.is_paused)

    def start(self) -> None:
        """Start its container."""
        self.walsup.start()

    def kill(self) -> None:
        """The machine under it has died."""
        self.walsup.kill_tree()
        self.paused_at_s = None

    def pause(self) -> None:
        """Stop all its processes, PID 1 last: what it would start meanwhile is stopped as well."""
        self.paused_at_s = time.monotonic()
        self._signal(signal.SIGSTOP)
        self._signal(signal.SIGSTOP)

    def resume(self, *, init_last: bool) -> None:
        """Let them go on, PID 1 first or last."""
        self._signal(signal.SIGCONT, init_last=init_last)
        self.paused_at_s = None

    def replace(self, source: Path) -> None:
        """Give it a copy of another directory; its own is kept, for its WAL may be asked for."""
        pgdata = self.walsup.pgdata
        if pgdata.exists():
            self._buried += 1
            grave = pgdata.with_name(f"buried-{self._buried}")
            pgdata.rename(grave)
            self.disk.path = grave
        copy(source, pgdata)
        self.disk = Disk(pgdata)

    def forget(self) -> None:
        """Take away what walsup remembers there, as a copy by other means has it."""
        for path in self.walsup.pgdata.glob(".walsup-*"):
            path.unlink()

    def branch(self) -> bool:
        """Promote the stopped volume onto a new timeline, outside of walsup; False: it cannot."""
        one = self.walsup
        if one.tools.control(one.pgdata)["Database cluster state"] != "shut down":
            return False
        (one.pgdata / "standby.signal").touch()
        one.machine.give_to_database(one.pgdata / "standby.signal")
        settings = {"archive_mode": "on", "archive_command": "", "wal_keep_size": "512MB"}
        address = one.tools.start(one.pgdata, port=one.layout.pg_port, settings=settings)
        try:
            one.tools.psql(address, "select pg_promote()")
        finally:
            one.tools.stop(one.pgdata)
        return True

    def write(self, number: int) -> bool:
        """Write a row and finish its segment; True when both were acknowledged."""
        try:
            self.walsup.psql(
                "create table if not exists ledger (n bigint primary key);"
                f"insert into ledger values ({number})",
                timeout_s=5,
            )
            self.walsup.psql("select pg_switch_wal()", timeout_s=5)
        except (PgToolError, OSError, subprocess.TimeoutExpired):
            return False
        return True

    def adopt(self) -> subprocess.CompletedProcess[str]:
        """What a person says when the archive shall be continued from this volume."""
        return cli(self.walsup, "adopt", "--yes")

    def move(self, prefix: str) -> None:
        """Start it again, with an archive of its own."""
        if self.runs:
            self.walsup.stop()
        self.moved = True
        bucket = self.walsup.s3.bucket if self.walsup.s3 else ""
        self.walsup.prefix = prefix
        self.walsup.environment["WALSUP_ARCHIVE"] = f"s3://{bucket}/{prefix}"
        self.walsup.start()

    def strike(self, child: str) -> None:
        """Kill one of its processes, if it is there."""
        with contextlib.suppress(*_GONE):
            self.walsup.kill(child)

    def _signal(self, number: int, *, init_last: bool = True) -> None:
        members = sorted(
            self.walsup.members(), key=lambda member: (member.inner_pid == 1) == init_last
        )
        for member in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member.outer_pid, number)


class Fleet:
    """Nodes on one prefix, each with a copy of one database that has archived nothing yet."""

    def __init__(  # noqa: PLR0913 (each names one thing that a schedule may choose)
        self,
        machine: Machine,
        s3: S3Server,
        *,
        engine: str,
        prefix: str,
        template: Path,
        size: int,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.s3 = s3
        self.prefix = prefix
        self.scratch = Path(tempfile.mkdtemp(prefix="walsup-fleet-", dir="/tmp"))
        self._snapshots = 0
        self.nodes = [
            Node(
                Walsup(
                    machine,
                    engine=engine,
                    s3=s3,
                    prefix=prefix,
                    env=_SETTINGS | dict(env or {}),
                    # What was archived is compared with pg_wal at the end.
                    args=["-c", "wal_keep_size=512MB"],
                ),
                "ABC"[number],
            )
            for number in range(size)
        ]
        for node in self.nodes:
            copy(template, node.walsup.pgdata)

    def snapshot(self, node: Node) -> Path:
        """Copy a volume aside."""
        self._snapshots += 1
        target = self.scratch / f"snapshot-{self._snapshots}"
        copy(node.disk.path, target)
        return target

    def scratch_of_database(self) -> Path:
        """A directory in which the database's user may write."""
        machine = self.nodes[0].walsup.machine
        self.scratch.chmod(0o711)
        found = self.scratch / "database"
        found.mkdir(exist_ok=True)
        machine.give_to_database(found)
        return found

    def close(self) -> None:
        """Kill everything and remove all directories."""
        for node in self.nodes:
            node.walsup.close()
        shutil.rmtree(self.scratch, ignore_errors=True)


def template(machine: Machine, target: Path) -> Path:
    """Make a stopped database with small segments, which has never had an archive."""
    with Walsup(machine, env={"POSTGRES_INITDB_ARGS": "--wal-segsize=1"}) as one:
        one.start()
        one.wait_accepts()
        if one.stop() != 0:
            raise RuntimeError(one.tail())
        copy(one.pgdata, target)
    return target


def copy(source: Path, target: Path) -> None:
    """Copy a volume as it is, owners and times included."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)
