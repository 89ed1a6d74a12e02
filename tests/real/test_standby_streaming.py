"""Streaming with a role, a line and slots of its own, made by walsup on both sides."""

from collections.abc import Callable

import pytest

from dev.harness import Walsup
from dev.harness.checks.witness import status, wait_fault, wait_protected
from dev.harness.scenarios.standbys import EAGER, LEASE, STANDBY, wait_rows, wait_source, written

Make = Callable[..., Walsup]

SECRET = "mirror's: own \\ word"
SLOTS = "select count(*) from pg_replication_slots where slot_name ~ '^walsup_standby_' and active"


@pytest.mark.rule("operators-files")
def test_a_standby_streams_with_a_role_and_a_slot_of_its_own(walsup: Make) -> None:
    """They are made by themselves, made again when they have gone, and bounded."""
    one = walsup(
        env=LEASE | {"WALSUP_REPLICATION_PASSWORD": SECRET},
        args=["-c", "log_statement=all"],
    ).start()
    wait_protected(one)
    two = walsup(
        prefix=one.prefix,
        env=STANDBY
        | {
            "WALSUP_REPLICATION_PASSWORD": SECRET,
            "WALSUP_PRIMARY_CONNINFO": f"host=127.0.0.1 port={one.layout.pg_port}",
            "HOSTNAME": "orders-1",
        },
        args=EAGER,
    ).start()
    wait_source(two, "streaming")
    one.wait_for(lambda: one.psql(SLOTS) == "1", "it has a slot")
    assert one.psql("select usename from pg_stat_replication") == "walsup_replication"
    assert one.psql("select slot_name from pg_replication_slots") == "walsup_standby_orders_1"
    assert one.psql("show max_slot_wal_keep_size") != "-1"
    wait_rows(two, written(one))
    for each in (one, two):
        assert SECRET not in each.log()
        for member in each.members():
            assert SECRET not in " ".join(member.argv)
    # What a restored database does not have is made at its first start.
    assert two.stop() == 0
    one.psql("select pg_drop_replication_slot(slot_name) from pg_replication_slots")
    one.psql("drop role walsup_replication")
    assert one.stop() == 0
    one.start()
    one.wait_event("replication.role")
    two.start()
    wait_source(two, "streaming")
    wait_rows(two, written(one))
    # A file of the operator's is not edited: the missing line is named.
    hba = one.pgdata / "pg_hba.conf"
    hba.write_text("local all all trust\nhost all all all scram-sha-256\n")
    assert one.stop() == 0
    one.start()
    assert "host replication walsup_replication" in wait_fault(one, "replication")["remedy"]
    one.wait_for(lambda: status(one)["gate"]["state"] == "open", "it archives all the same")
    assert "host replication walsup_replication" not in hba.read_text()
