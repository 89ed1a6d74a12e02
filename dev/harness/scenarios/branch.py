"""A clone made by hand that is left with its archive_command: a branch in its source's archive."""

import os
import shutil
import subprocess
from pathlib import Path

from dev.harness.processes.ports import free_ports
from dev.harness.processes.waiting import wait_until
from dev.harness.processes.walsup import Walsup


def branch(one: Walsup, target: Path, sql: str, *, backup: bool = False) -> None:
    """Fetch the archive into `target`, promote it there, and archive into it what `sql` did.

    `backup`: a base backup of it is pushed as well. `one` may run.
    """
    machine = one.machine
    config = target.parent / "branch.json"
    shutil.copy(one.run_dir / "engine.json", config)
    machine.give_to_database(config)
    program = str(shutil.which(one.engine, path=machine.search_path(one.engine)))
    engine = [program, "--config", str(config)]
    target.mkdir(mode=0o700)
    machine.give_to_database(target)
    _run([*engine, "backup-fetch", str(target), "LATEST"])
    (target / "recovery.signal").touch()
    machine.give_to_database(target / "recovery.signal")
    address = one.tools.start(
        target,
        port=free_ports(1)[0],
        settings={
            # WAL-G backs up no directory that has a socket in it.
            "unix_socket_directories": str(target.parent),
            "restore_command": f"{program} --config {config} wal-fetch %f %p",
            "archive_mode": "on",
            "archive_command": f"{program} --config {config} wal-push %p",
        },
    )
    address = address._replace(socket_dir=target.parent)
    archived = "select last_archived_wal from pg_stat_archiver"
    try:
        wait_until(
            lambda: one.tools.psql(address, "select pg_is_in_recovery()") == "f",
            "recovery has ended",
            timeout_s=60,
        )
        one.tools.psql(address, sql)
        last = one.tools.psql(address, "select pg_walfile_name(pg_switch_wal())")
        wait_until(
            lambda: one.tools.psql(address, archived) >= last,
            f"the branch has archived {last}",
            timeout_s=60,
        )
        if backup:
            _run(
                [*engine, "backup-push", str(target)],
                {"PGHOST": str(address.socket_dir), "PGPORT": str(address.port)},
            )
    finally:
        one.tools.stop(target)


def _run(argv: list[str], environment: dict[str, str] | None = None) -> None:
    as_owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run(
        [*as_owner, *argv],
        check=True,
        capture_output=True,
        timeout=120,
        env={**os.environ, **(environment or {})},
    )
