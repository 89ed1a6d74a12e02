"""The commands of README and docs, as they are written there, on a running database."""

import json
import os
import shutil
from collections.abc import Callable

from dev.harness import Address, S3Server, Walsup, wait_until
from dev.harness.checks import documents
from dev.harness.checks.witness import Ledger, wait_no_lag, wait_protected
from dev.harness.processes.ports import free_ports
from dev.harness.scenarios import documented
from dev.harness.scenarios.clones import source_of

Make = Callable[..., Walsup]


def test_the_commands_of_the_pages_work(walsup: Make, s3: S3Server) -> None:
    """Status, its JSON, curl and psql; then the look at a restore; then a restore by hand."""
    one = walsup().start()
    wait_protected(one)
    shown = documented.run(one, documents.block("status"))
    assert shown.returncode == 0, shown.stderr
    assert "protected  yes" in shown.stdout
    shown = documented.run(one, documents.block("status-json"))
    assert json.loads(shown.stdout)["protected"] is True, shown.stderr
    port = {"9351": str(one.layout.http_port)}
    shown = documented.run(one, documents.block("curl-status"), instead=port)
    assert json.loads(shown.stdout)["protected"] is True, shown.stderr
    shown = documented.run(one, documents.block("psql"), stdin="select 6 * 7")
    assert "42" in shown.stdout, shown.stderr
    with Ledger(one) as ledger:
        one.wait_for(lambda: ledger.acknowledged > 20, "rows")
    one.psql("select pg_switch_wal()")
    wait_no_lag(one)
    config = one.layout.base / "engine.json"
    shutil.copy(one.run_dir / "engine.json", config)
    assert one.stop() == 0
    clone = walsup(s3=None, env=source_of(s3, one.prefix))
    clone.pgdata.mkdir()
    looked = documented.run(clone, documents.block("restore-look"))
    assert looked.returncode == 0, looked.stderr
    assert "the restore would work" in looked.stdout
    one.machine.give_to_database(config)
    assert _restored_by_hand(one, str(config)) == str(ledger.acknowledged)


def _restored_by_hand(one: Walsup, config: str) -> str:
    """The rows after docs/restore.md's commands, as the database's user."""
    target = one.layout.base / "by-hand"
    target.mkdir(mode=0o700)
    one.machine.give_to_database(target)
    port = free_ports(1)[0]
    instead = {
        "walrus ": f"{one.engine} ",
        "/srv/engine.json": config,
        "/new/data": str(target),
        "pg_ctl ": f"pg_ctl -o '-p {port} -k {target}' ",
    }
    text = documents.block("restore-by-hand")
    if os.geteuid() == 0:
        as_owner = f"runuser -u {one.machine.db_user} -- env PATH=\"$PATH\" bash -eu <<'END'\n"
        text = f"{as_owner}{text}END\n"
    done = documented.run(one, text, instead=instead)
    assert done.returncode == 0, done.stderr + done.stdout
    address = Address.of(target)
    try:
        wait_until(
            lambda: one.tools.psql(address, "select pg_is_in_recovery()") == "f",
            "recovery has ended",
            timeout_s=120,
        )
        return one.tools.psql(address, "select count(*) from ledger")
    finally:
        one.tools.stop(target)
