"""A primary and standbys of it, each a walsup of its own on one archive."""

from collections.abc import Callable
from typing import Any

from dev.harness.checks.witness import Ledger, status
from dev.harness.processes.walsup import Walsup
from walsup.postgres.wal import parse_lsn

LEASE = {"WALSUP_LEASE": "1s", "WALSUP_ARCHIVE_TIMEOUT": "2s"}
STANDBY = {**LEASE, "WALSUP_ROLE": "standby"}
FOLLOWS = "following"
# A standby comes back to the archive every second, not every five.
EAGER = ("-c", "wal_retrieve_retry_interval=1s")


def conninfo(primary: Walsup) -> str:
    """What a standby is told of its primary."""
    port = primary.layout.pg_port
    password = primary.environment["POSTGRES_PASSWORD"]
    return f"host=127.0.0.1 port={port} user=postgres password={password}"


def streaming(make: Callable[..., Walsup], primary: Walsup, **chosen: str) -> Walsup:
    """A standby that streams from this primary by now; `chosen` as `make` takes it."""
    standby = make(
        prefix=primary.prefix,
        env=STANDBY | {"WALSUP_PRIMARY_CONNINFO": conninfo(primary)},
        args=EAGER,
        **chosen,
    ).start()
    wait_source(standby, "streaming")
    return standby


def following(standby: Walsup) -> dict[str, Any]:
    """The standby's part of `/status`, {} while it does not follow."""
    seen: dict[str, Any] = status(standby).get("standby", {})
    return seen if seen.get("phase") == FOLLOWS else {}


def wait_source(standby: Walsup, source: str, *, timeout_s: float = 60.0) -> None:
    """Wait until its WAL comes from there."""
    standby.wait_for(
        lambda: following(standby).get("source") == source, f"it gets {source}", timeout_s=timeout_s
    )


def wait_primary(one: Walsup, *, timeout_s: float = 90.0) -> dict[str, Any]:
    """Wait until a standby that is promoted is a primary and protected; gives the status.

    A standby that follows is "protected" too, and a status may be a second old.
    """

    def look() -> dict[str, Any] | None:
        seen = status(one)
        is_primary = (
            seen and seen["gate"]["state"] == "open" and seen["standby"]["phase"] != FOLLOWS
        )
        return seen if is_primary and seen["protected"] else None

    return one.wait_for(look, "it is a primary, and protected", timeout_s=timeout_s)


def rows(one: Walsup) -> int:
    """The rows of the ledger, -1 while there is none or it cannot be asked."""
    if not one.accepts() or one.psql("select to_regclass('ledger')") == "":
        return -1
    return int(one.psql("select count(*) from ledger"))


def wait_rows(standby: Walsup, count: int) -> None:
    """Wait until it has so many rows of the ledger."""
    standby.wait_for(lambda: rows(standby) == count, f"it has {count} rows", timeout_s=90)


def written(one: Walsup, least: int = 20) -> int:
    """Write some rows; gives how many there are."""
    with Ledger(one) as ledger:
        one.wait_for(lambda: ledger.acknowledged >= least, "rows")
    return ledger.rows()


def archive_now(one: Walsup, *, timeout_s: float = 30.0) -> None:
    """Finish the segment, and wait until everything before is proven in the bucket."""
    end = parse_lsn(one.psql("select pg_switch_wal()"))

    def look() -> bool:
        proven = status(one).get("lag", {}).get("proven_lsn", "0/0")
        return parse_lsn(proven) >= end

    one.wait_for(look, "it is archived", timeout_s=timeout_s)
