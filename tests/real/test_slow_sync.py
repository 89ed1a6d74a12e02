"""A disk that syncs WAL slowly: what is archived meanwhile is the server's own segment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import segments, status, wait_protected
from dev.harness.faults.slow_sync import HeldSync
from walsup.postgres.wal import Segment, parse_lsn

Make = Callable[..., Walsup]
_SEGMENT_BYTES = 16 << 20
# One write reaches over the end of a segment: nobody else writes WAL out meanwhile.
_ONE_WRITE = ["-c", "wal_buffers=16MB", "-c", "wal_writer_delay=10s", "-c", "autovacuum=off"]


def _emit(one: Walsup, size_bytes: int) -> None:
    """Write a transaction with so much WAL; returns when it is committed."""
    one.psql(f"select pg_logical_emit_message(true, 'x', repeat('y', {size_bytes}))", timeout_s=90)


def test_a_segment_that_is_archived_while_its_successor_is_synced_is_the_servers_own(
    walsup: Make, s3: S3Server
) -> None:
    """PostgreSQL shows the position after the sync, and makes the segment .ready before it."""
    with HeldSync() as held, ThreadPoolExecutor() as pool:
        one = walsup(
            args=_ONE_WRITE, env=held.environment | {"WALSUP_ARCHIVE_TIMEOUT": "1h"}
        ).start()
        wait_protected(one)
        one.psql("select pg_switch_wal()")
        name = one.psql("select pg_walfile_name(pg_current_wal_insert_lsn())")
        segment = Segment.parse(name, _SEGMENT_BYTES)
        _emit(
            one,
            segment.end_lsn - parse_lsn(one.psql("select pg_current_wal_insert_lsn()")) - (2 << 20),
        )
        held.hold(
            Segment(timeline=segment.timeline, number=segment.number + 1, size=_SEGMENT_BYTES).name
        )
        committed = pool.submit(_emit, one, 4 << 20)
        one.wait_for(lambda: name in segments(s3, one.prefix), "it is archived")
        assert parse_lsn(one.psql("select pg_current_wal_lsn()")) < segment.end_lsn
        compared = one.wait_for(
            lambda: [event for event in one.events("segment.compared") if event["name"] == name],
            "the object is compared with pg_wal",
            timeout_s=90,
        )
        assert compared[0]["problem"] == ""
        seen = status(one)
        assert (seen["protected"], seen["faults"]) == (True, {})
        assert parse_lsn(seen["lag"]["proven_lsn"]) < segment.end_lsn
        assert not committed.done()
        held.release()
        committed.result(60)
        one.wait_for(
            lambda: parse_lsn(status(one)["lag"]["proven_lsn"]) >= segment.end_lsn,
            "the segment is verified in the bucket",
            timeout_s=60,
        )
        assert [e for e in one.events("fault.appeared") if e["subject"] == "names"] == []
        assert one.stop() == 0
