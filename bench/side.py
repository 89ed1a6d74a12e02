"""The sides that archive: walsup, the same engine's daemon called bare, and none at all.

All have a cluster made alike and the same settings of PostgreSQL; both archiving ones have the
very configuration and the very archive_command that walsup renders.
"""

import os
import signal
import subprocess
from pathlib import Path
from typing import Protocol, Self

from bench.ground import Ground
from bench.process import Ending
from dev.harness import Address, PgTools, Walsup, wait_until
from dev.harness.processes.layout import Layout, archive_environment, new_prefix
from walsup import settings
from walsup.archive.engine import adapter
from walsup.archive.engine.archive_command import push_command

# A checkpoint in one side's round and not in the other's would be the whole difference.
_SETTINGS = {"max_wal_size": "4GB", "checkpoint_timeout": "1h", "archive_timeout": "60s"}
_DAEMON_TIMEOUT_S = 10.0


class Side(Protocol):
    """A running server. `engine_pid` is its engine's daemon."""

    tools: PgTools
    prefix: str
    pgdata: Path

    @property
    def address(self) -> Address:
        """Its unix socket."""

    @property
    def engine_pid(self) -> int:
        """The engine's daemon."""


def make_cluster(tools: PgTools, pgdata: Path) -> None:
    """A cluster that is open to loopback; both sides of a row get such a one."""
    tools.initdb(pgdata, "--data-checksums")


class ThroughWalsup:
    """walsup on an existing cluster; ready when its gate is open. A context manager."""

    def __init__(self, ground: Ground, *, backup: bool = False) -> None:
        self.walsup = Walsup(
            ground.machine,
            engine=ground.engine,
            s3=ground.s3,
            env={"WALSUP_INITIAL_BACKUP": "on" if backup else "off"},
            args=[word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")],
        )
        self.tools, self.prefix = self.walsup.tools, self.walsup.prefix
        self.pgdata = self.walsup.pgdata
        make_cluster(self.tools, self.pgdata)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.walsup.close()

    def start(self) -> Self:
        """Start it; returns when WAL may go to the bucket."""
        self.walsup.start()
        self.walsup.wait_accepts()
        self.walsup.wait_event("gate.opened")
        return self

    def ending(self) -> Ending:
        """The end of PID 1."""
        return Ending(self.walsup.init_pid)

    @property
    def address(self) -> Address:
        """Its unix socket."""
        return self.walsup.address

    @property
    def engine_pid(self) -> int:
        """The engine's daemon."""
        return self.walsup.pid_of("engine")


class Bare:
    """PostgreSQL without walsup: `archive` through the engine's daemon, else archive_command=true.

    A context manager.
    """

    def __init__(self, ground: Ground, *, archive: bool = True) -> None:
        self._layout = Layout(ground.machine)
        self._user = ground.machine.db_user or None
        self._port = self._layout.pg_port
        self.tools = PgTools(ground.machine.bindir, db_user=ground.machine.db_user)
        self.prefix, self.pgdata = new_prefix(), self._layout.pgdata
        self._daemon: subprocess.Popen[bytes] | None = None
        self._daemon_argv: list[str] = []
        self._socket = self._layout.run_dir / "engine.sock"
        self._archive_command = "true"
        if archive:
            self._configure(ground)
        make_cluster(self.tools, self.pgdata)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        try:
            if (self.pgdata / "postmaster.pid").exists():
                self.tools.stop(self.pgdata, mode="immediate")
        finally:
            self._kill_daemon()
            self._layout.remove()

    def start(self) -> Self:
        """Start the daemon and the server; returns when the server accepts."""
        if self._daemon_argv and self._daemon is None:
            with self._layout.log_file.open("ab") as log:
                self._daemon = subprocess.Popen(
                    self._daemon_argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd="/",
                    env={"PATH": os.environ["PATH"], "HOME": "/"},
                    user=self._user,
                    group=self._user,
                    extra_groups=None if self._user is None else [],
                )
            wait_until(self._socket.exists, "the bare daemon's socket", timeout_s=_DAEMON_TIMEOUT_S)
        given = {"archive_mode": "on", "archive_command": self._archive_command}
        self.tools.start(self.pgdata, port=self._port, settings=_SETTINGS | given)
        return self

    def ending(self) -> Ending:
        """The end of the postmaster."""
        return Ending(int((self.pgdata / "postmaster.pid").read_text().split()[0]))

    @property
    def address(self) -> Address:
        """Its unix socket."""
        return Address(self.pgdata, self._port)

    @property
    def engine_pid(self) -> int:
        """The engine's daemon."""
        if self._daemon is None:
            raise ProcessLookupError("this side has no daemon")
        return self._daemon.pid

    def _configure(self, ground: Ground) -> None:
        """Render what walsup would, for this data directory."""
        environment = self._layout.environment(ground.machine, ground.engine)
        environment |= archive_environment(ground.s3, self.prefix, None)
        known = settings.load(environment)
        carrier = adapter.choose(known, environment["PATH"])
        if not isinstance(carrier, adapter.Engine):
            raise FileNotFoundError(carrier.problem)
        compression = adapter.DEFAULT_COMPRESSION[carrier.name]
        config = self._layout.run_dir / "engine.json"
        config.touch(mode=0o600)
        ground.machine.give_to_database(config)
        config.write_text(
            adapter.render(
                known,
                engine=carrier.name,
                compression=compression,
                socket_dir=str(self.pgdata),
                port=self._port,
                segment_bytes=1 << 24,
            )
        )
        self._daemon_argv = carrier.daemon_argv(config, self._socket)
        timeout_s = adapter.push_timeout_s(known.push_grace_s, known.lease_s)
        bare = push_command(carrier, self._layout.run_dir, timeout_s)
        self._archive_command = f"{bare} || exit 1"

    def _kill_daemon(self) -> None:
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGCONT)
            self._daemon.kill()
            self._daemon.wait()
            self._daemon = None
