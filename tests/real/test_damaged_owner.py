"""An owner object that nobody can read, or that says more than this disk has."""

import json
from collections.abc import Callable

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import cli, owner, status, wait_fault, wait_protected

Make = Callable[..., Walsup]

_SHORT = {"WALSUP_LEASE": "1s", "WALSUP_ARCHIVE_TIMEOUT": "2s"}


@pytest.mark.rule("one-owner")
def test_a_damaged_owner_object_names_the_way_out(walsup: Make, s3: S3Server) -> None:
    """Cut in the middle: the gate shuts; removed and adopted, as it is told, all is green."""
    one = walsup(env=_SHORT).start()
    wait_protected(one)
    key = f"{one.prefix}/walsup/owner.json"
    s3.put(key, s3.get(key)[:50])
    fault = wait_fault(one, "gate")
    assert "cannot be read" in fault["problem"]
    assert "remove it" in fault["remedy"]
    refused = cli(one, "adopt", "--yes")
    assert refused.returncode == 74
    assert "remove it" in refused.stderr
    s3.delete(key)
    one.wait_for(
        lambda: "has been deleted" in status(one).get("gate", {}).get("reason", ""),
        "it is seen to be gone",
    )
    assert cli(one, "adopt", "--yes").returncode == 0
    wait_protected(one)


@pytest.mark.rule("divergence")
def test_what_was_proven_and_deleted_since_is_still_ahead_of_the_disk(
    walsup: Make, s3: S3Server
) -> None:
    """An old snapshot, and WAL that expired in the bucket: the owner object alone remembers."""
    one = walsup(env=_SHORT).start()
    wait_protected(one)
    assert one.stop() == 0
    forgotten = owner(s3, one.prefix)
    forgotten["lsn"] += 64 << 20
    s3.put(f"{one.prefix}/walsup/owner.json", json.dumps(forgotten).encode())
    one.start()
    assert wait_fault(one, "gate")["kind"] == "bucket ahead"
