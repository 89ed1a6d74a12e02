"""Wiping beside a database (S32): one that lives, was killed, meets a wipe, has stopped."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import cli, owner, status, wait_fault, wait_protected
from dev.harness.scenarios.wiping import OWNER, Laid
from walsup.archive.owner_record import Owner

Make = Callable[..., Walsup]


@pytest.mark.rule("wipe")
def test_a_database_and_two_wipes_of_its_archive(walsup: Make, s3: S3Server) -> None:
    """Refused while it lives, shut while it is wiped; adopted, it goes on; stopped: at once."""
    one = walsup(env={"WALSUP_LEASE": "1s", "WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    neighbours = Laid(s3, one.prefix).neighbours()
    wait_protected(one)
    assert "active, or killed" in cli(one, "wipe").stdout
    refused = cli(one, "wipe", "--confirm", one.prefix)
    assert refused.returncode == 74, refused.stdout
    assert "is alive on it" in refused.stderr
    assert status(one)["protected"]
    _is_kept_out_of_a_wipe(one, s3)
    done = cli(one, "wipe", "--confirm", one.prefix)
    assert done.returncode == 0, done.stderr
    assert "waiting" in done.stderr
    # It remembers that it has owned the archive: an empty one is no new one by itself.
    one.wait_for(
        lambda: status(one)["faults"].get("gate", {}).get("kind") == "owner removed", "it sees it"
    )
    assert one.accepts()
    assert s3.keys(f"{one.prefix}/") == []
    assert cli(one, "adopt", "--yes").returncode == 0
    wait_protected(one)
    assert one.stop() == 0
    assert owner(s3, one.prefix)["state"] == "stopped"
    done = cli(one, "wipe", "--confirm", one.prefix)
    assert (done.returncode, done.stderr) == (0, "")
    assert s3.keys(f"{one.prefix}/") == []
    assert Laid(s3, one.prefix).are_there(neighbours)


def _is_kept_out_of_a_wipe(one: Walsup, s3: S3Server) -> None:
    """Kill it, and start it while its archive is being wiped."""
    one.kill_tree()
    key = f"{one.prefix}/{OWNER}"
    found = Owner.from_json(s3.get(key))
    s3.put(key, replace(found, state="wiping", boot="a-wipe").signed().to_json())
    assert "being wiped" in (checked := cli(one, "restore", "--check")).stdout + checked.stderr
    assert checked.returncode != 0
    before = s3.objects(f"{one.prefix}/")
    one.start()
    one.wait_accepts()
    assert "being wiped" in wait_fault(one, "gate")["problem"]
    assert "being wiped" in cli(one, "adopt", "--yes").stderr
    one.psql("create table t (n int); select pg_switch_wal()")
    one.wait_for(lambda: "archive command failed" in one.log(), "WAL waits")
    assert s3.objects(f"{one.prefix}/") == before
