"""A restore by hand, as docs/restore.md describes it."""

import os
import shutil
import subprocess
from pathlib import Path

from dev.harness.processes.ports import free_ports
from dev.harness.processes.waiting import wait_until
from dev.harness.processes.walsup import Walsup


def restore(one: Walsup, reader: str, target: Path) -> int:
    """Fetch with the engine `reader` as docs/restore.md says; gives its rows, -1 with gaps."""
    count, highest = restored(one, reader, target, "select count(*), max(n) from ledger").split("|")
    return int(count) if count == highest else -1


def restored(one: Walsup, reader: str, target: Path, query: str) -> str:
    """Fetch with the engine `reader` as docs/restore.md says; gives its answer to `query`."""
    machine = one.machine
    config = target.parent / f"{reader}.json"
    shutil.copy(one.run_dir / "engine.json", config)
    machine.give_to_database(config)
    program = shutil.which(reader, path=machine.search_path(reader))
    if program is None:
        raise FileNotFoundError(reader)
    fetch = [program, "--config", str(config), "backup-fetch", str(target), "LATEST"]
    as_owner = ["runuser", "-u", machine.db_user, "--"] if os.geteuid() == 0 else []
    target.mkdir(mode=0o700)
    machine.give_to_database(target)
    subprocess.run([*as_owner, *fetch], check=True, capture_output=True, timeout=600)
    (target / "recovery.signal").touch()
    machine.give_to_database(target / "recovery.signal")
    address = one.tools.start(
        target,
        port=free_ports(1)[0],
        settings={
            "restore_command": f"{program} --config {config} wal-fetch %f %p",
            "archive_mode": "off",
        },
    )
    try:
        wait_until(
            lambda: one.tools.psql(address, "select pg_is_in_recovery()") == "f",
            "recovery has ended",
            timeout_s=600,
        )
        one.tools.psql(address, "select pg_switch_wal()")
        return one.tools.psql(address, query)
    finally:
        one.tools.stop(target)
