"""A standby's replay position, what its stream has received, and what delays replay."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from walsup import units
from walsup.postgres.pg_control import LIMITS
from walsup.postgres.sql.connection import Sql

_OBSERVE = """
select w.status, w.latest_end_lsn, w.last_msg_receipt_time,
       pg_catalog.pg_last_wal_replay_lsn(), pg_catalog.pg_is_wal_replay_paused(),
       pg_catalog.current_setting('wal_receiver_timeout'),
       pg_catalog.current_setting('recovery_min_apply_delay'),
       pg_catalog.current_setting('max_standby_streaming_delay'),
       pg_catalog.current_setting('max_standby_archive_delay'),
       pg_catalog.current_setting('max_connections'),
       pg_catalog.current_setting('max_worker_processes'),
       pg_catalog.current_setting('max_wal_senders'),
       pg_catalog.current_setting('max_prepared_transactions'),
       pg_catalog.current_setting('max_locks_per_transaction')
  from pg_catalog.pg_is_in_recovery() r
  left join pg_catalog.pg_stat_wal_receiver w on true
"""
_CONFLICTS = ("max_standby_streaming_delay", "max_standby_archive_delay")


class Replay(NamedTuple):
    """Postgres's answer. `heard_at`: when the primary's last message arrived, by this clock.

    `endless`: the settings max_standby_…_delay that let replay wait for queries without a limit.
    `limits`: the five settings that recovery compares with its primary's.
    """

    streaming: bool
    primary_lsn: int
    heard_at: datetime | None
    replay_lsn: int
    paused: bool
    receiver_timeout_s: float
    apply_delay_s: float
    endless: str = ""
    limits: Mapping[str, int] = MappingProxyType({})


async def observe(sql: Sql) -> Replay:
    """Return the progress of replay.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: unchanged.
    """
    row = await sql.row(_OBSERVE)
    status, end_lsn, heard_at, replay_lsn, paused, timeout, delay, *rest = row
    conflicts, limits = rest[: len(_CONFLICTS)], rest[len(_CONFLICTS) :]
    streaming = status == "streaming"
    return Replay(
        streaming=streaming,
        primary_lsn=(end_lsn or 0) if streaming else 0,
        heard_at=heard_at,
        replay_lsn=replay_lsn or 0,
        paused=bool(paused),
        receiver_timeout_s=units.duration(timeout),
        apply_delay_s=units.duration(delay),
        endless=" and ".join(
            name for name, value in zip(_CONFLICTS, conflicts, strict=True) if value == "-1"
        ),
        limits={name: int(value) for name, value in zip(LIMITS, limits, strict=True)},
    )
