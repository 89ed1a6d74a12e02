"""Objects of another writer under the names of this server's own segments."""

from collections.abc import Callable
from typing import Any

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import (
    segments,
    status,
    verdict,
    wait_fault,
    wait_no_lag,
    wait_protected,
)
from walsup.postgres.wal import Segment

Make = Callable[..., Walsup]
_SIZE = 16 << 20


def _plant(walsup: Walsup, s3: S3Server, count: int) -> list[str]:
    """Put another segment's bytes under the next names that the server will write."""
    newest = segments(s3, walsup.prefix)[-1]
    key = next(k for k in s3.keys(f"{walsup.prefix}/wal_005/{newest}") if ".backup" not in k)
    content, extension = s3.get(key), key.rpartition(newest)[2]
    segment = Segment.parse(_current(walsup), _SIZE)
    planted = []
    for _ in range(count):
        planted.append(f"{walsup.prefix}/wal_005/{segment.name}{extension}")
        s3.put(planted[-1], content)
        segment = segment.next()
    return planted


def _current(walsup: Walsup) -> str:
    return walsup.psql("select pg_walfile_name(pg_current_wal_insert_lsn())").strip()


def _name(key: str) -> str:
    return key.rpartition("/")[2].partition(".")[0]


def _without_fault(walsup: Walsup) -> None:
    def look() -> bool:
        return "names" not in status(walsup).get("faults", {"names": 0})

    walsup.wait_for(look, "the fault is cleared")


def _wait_problem(walsup: Walsup, words: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = status(walsup).get("faults", {}).get("names", {})
        return found if words in found.get("problem", "") else None

    return walsup.wait_for(look, f"a fault of names with {words!r}")


def test_a_name_that_the_server_has_not_reached_is_no_proof(walsup: Make, s3: S3Server) -> None:
    """Lag, position and verdict stay the real ones, and a fault names the objects."""
    one = walsup(env={"WALSUP_LEASE": "1s"}).start()
    wait_protected(one)
    one.psql("create table t (n int)")
    one.psql("select pg_switch_wal()")
    wait_no_lag(one)
    planted = _plant(one, s3, 3)
    real = one.psql("select pg_current_wal_lsn()").strip()

    fault = wait_fault(one, "names")
    seen = status(one)
    assert not seen["protected"]
    assert all(_name(key) in fault["problem"] for key in planted)
    assert "remove the object" in fault["remedy"]
    assert one.psql(f"select '{seen['lag']['proven_lsn']}'::pg_lsn <= '{real}'") == "t"

    for key in planted:
        s3.delete(key)
    _without_fault(one)
    wait_protected(one)

    # Reached: the push of the real segment is rejected, and the lag says so.
    planted = _plant(one, s3, 2)
    for n in range(len(planted)):
        one.psql(f"insert into t values ({n})")
        one.psql("select pg_switch_wal()")
    _wait_problem(one, "its bytes differ")
    lagging = len(planted)
    one.wait_for(lambda: status(one)["lag"]["segments"] == lagging, "both segments are unproven")
    seen = status(one)
    assert not seen["protected"]
    assert _name(planted[0]) in seen["faults"]["names"]["problem"]

    for key in planted:
        s3.delete(key)
    _without_fault(one)
    wait_no_lag(one)
    assert {_name(key) for key in planted} <= set(segments(s3, one.prefix))
    wait_protected(one)

    planted = _plant(one, s3, 3)
    one.psql("insert into t values (3)")
    one.stop()
    assert ": no: " in verdict(one)
    assert _name(planted[0]) in verdict(one)
