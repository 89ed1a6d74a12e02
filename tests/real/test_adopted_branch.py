"""A standby's branch that is adopted: base backups of the timeline that it has left are not its."""

from collections.abc import Callable

from dev.harness import S3Server, Walsup
from dev.harness.fleet import Node
from dev.harness.witness import cli, sentinels, status, wait_fault, wait_no_lag, wait_protected

Make = Callable[..., Walsup]

_SHORT = {"WALSUP_LEASE": "1s", "WALSUP_ARCHIVE_TIMEOUT": "2s"}


def test_s07_an_adopted_branch_takes_a_base_backup_of_its_own(walsup: Make, s3: S3Server) -> None:
    """The other's newest backup begins at a later LSN, on WAL that this database never had."""
    one = walsup(env=_SHORT | {"WALSUP_INITIAL_BACKUP": "off"}).start()
    one.wait_for(lambda: status(one).get("gate", {}).get("state") == "open", "it owns the archive")
    assert one.stop() == 0
    branch = Node(walsup(env=_SHORT, prefix=one.prefix), "branch")
    branch.replace(one.pgdata)
    branch.forget()
    assert branch.branch()
    one.environment["WALSUP_INITIAL_BACKUP"] = "on"
    one.start()
    wait_protected(one)
    for number in range(4):
        one.psql(f"create table t{number} (n int)")
        one.psql("select pg_switch_wal()")
    wait_no_lag(one)
    assert one.stop() == 0
    other = branch.walsup
    other.start()
    assert "walsup adopt" in wait_fault(other, "gate")["remedy"]
    assert cli(other, "adopt", "--yes").returncode == 0
    wait_protected(other)
    assert status(other)["backup"]["name"].startswith("base_00000002")
    assert len(sentinels(s3, one.prefix)) == 2
