"""The reader: the daemon that fetches WAL for a recovery. It only reads, so it needs no lease."""

from pathlib import Path

from walsup.archive.engine import restore_command, run_once
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.reader_config import trust
from walsup.pid1_messages import Launch, Send, SetDaemon
from walsup.settings import Settings


def launch(
    send: Send,
    engine: Engine,
    source: Settings,
    run_dir: Path,
    pgdata: Path,
) -> None:
    """Have PID 1 run it with the written configuration. Asked twice, it runs once."""
    if engine.has_daemon:
        argv = engine.daemon_argv(
            run_dir / restore_command.READER_CONFIG, run_dir / restore_command.READER_SOCKET
        )
        environment = run_once.environment() | {"PGDATA": str(pgdata)} | trust(source)
        send(SetDaemon("reader", Launch(argv, environment), 1))
