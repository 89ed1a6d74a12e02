"""The reader: the daemon that fetches WAL for a recovery. It needs no lease, for it only reads."""

from pathlib import Path

from walsup.archive.engine import restore_command, run_once
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.reader_config import trust
from walsup.pid1_messages import Launch, Send, SetDaemon
from walsup.settings import Settings


def launch(
    send: Send,
    carrier: Engine,
    source: Settings,
    run_dir: Path,
    pgdata: Path,
) -> None:
    """Have PID 1 run it, by the configuration that is written; asked for twice, it runs once."""
    if carrier.has_daemon:
        argv = carrier.daemon_argv(
            run_dir / restore_command.READER_CONFIG, run_dir / restore_command.READER_SOCKET
        )
        environment = run_once.environment() | {"PGDATA": str(pgdata)} | trust(source)
        send(SetDaemon("reader", Launch(argv, environment), 1))
