"""The history file of the database's timeline is checked, and no verdict ignores its loss."""

import shutil
from collections.abc import Callable
from typing import Any

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import status, verdict, wait_fault, wait_no_lag, wait_protected

Make = Callable[..., Walsup]


def _on_second_timeline(walsup: Make) -> Walsup:
    """A protected database that was restored: it writes on timeline 2."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s", "WALSUP_ON_EMPTY_PGDATA": "restore"}).start()
    wait_protected(one)
    one.psql("create table t as select 1 n")
    wait_no_lag(one)
    assert one.stop() == 0
    shutil.rmtree(one.pgdata)
    one.start()
    wait_protected(one, timeout_s=120)
    one.psql("insert into t values (2)")
    wait_no_lag(one)
    return one


def _history(one: Walsup, s3: S3Server) -> list[str]:
    return [key for key in s3.keys(f"{one.prefix}/wal_005/") if "00000002.history" in key]


def _wait_content(one: Walsup, s3: S3Server, key: str, content: bytes) -> None:
    """Wait until the object is as it was, and the audit agrees."""

    def look() -> dict[str, Any] | None:
        seen = status(one) if _history(one, s3) == [key] and s3.get(key) == content else {}
        return seen if seen.get("protected") else None

    one.wait_for(look, "the history file is in the archive again", timeout_s=60)


def test_archive_is_audited_for_the_history_file_of_the_timeline(
    walsup: Make, s3: S3Server
) -> None:
    """It is pushed again when it is deleted; one that is wrong is a fault until it is deleted."""
    one = _on_second_timeline(walsup)
    (key,) = _history(one, s3)
    content = s3.get(key)
    s3.delete(key)
    _wait_content(one, s3, key, content)
    s3.put(key, b"1\t0/1\tanother program's\n")
    assert "00000002.history" in wait_fault(one, "audit")["problem"]
    s3.delete(key)
    _wait_content(one, s3, key, content)
    # At a stop there is no time for the next round of the audit.
    s3.delete(key)
    assert one.stop() == 0
    assert ": yes " in verdict(one)
    assert s3.get(key) == content
    # While it is stopped.
    s3.put(key, b"")
    one.start()
    assert "00000002.history is empty" in wait_fault(one, "audit")["problem"]
    assert one.stop() == 0
    assert ": no: 00000002.history is empty" in verdict(one)
