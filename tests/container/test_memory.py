"""Small containers: a base backup and a burst of WAL fit, and postgres is never the one to go."""

from collections.abc import Callable

import pytest

from dev.containers import Box, S3Box
from dev.harness.checks.witness import Ledger, segments, sentinels, wait_no_lag, wait_protected

Make = Callable[..., Box]

# Sixteen rows of a mebibyte that no compressor makes smaller: each round is a segment.
_NOISE = """
create table noise as
  select i, string_agg(md5(random()::text || i || j), '') as hex
  from generate_series(1, 16) i, generate_series(1, 32768) j group by i
"""
_BURST_SEGMENTS = 8


@pytest.mark.parametrize("limit", ["256m", "512m"])
@pytest.mark.rule("probes-do-not-kill")
def test_a_backup_and_a_burst_survive(
    box: Make, s3: S3Box, engine: str, image_with: Callable[[str], str], limit: str
) -> None:
    """Nothing is killed, postgres is started once, everything is in the bucket."""
    one = box(
        archive=s3,
        image=image_with(engine),
        env={"WALSUP_ARCHIVE_TIMEOUT": "5s"},
        flags=["--memory", limit, "--memory-swap", limit],
    )
    one.volume().run()
    one.wait_accepts()
    one.psql(_NOISE, timeout_s=120)
    with Ledger(one) as ledger:
        one.psql(
            "select count(pg_logical_emit_message(false, 'burst', hex))"
            f" from generate_series(1, {_BURST_SEGMENTS}) s, noise",
            timeout_s=180,
        )
        wait_protected(one, timeout_s=150)
    wait_no_lag(one, timeout_s=150)
    prefix = one.environment["WALSUP_ARCHIVE"].rpartition("/")[2]
    assert ledger.failures == 0
    assert len(sentinels(s3, prefix)) == 1
    assert len(segments(s3, prefix)) > _BURST_SEGMENTS
    planned = one.events("memory.planned")[0]
    assert planned["limit_bytes"] == int(limit[:-1]) << 20
    assert not one.inspect()["State"]["OOMKilled"]
    assert one.state()["agent_restarts"] == "0"
    assert one.state()["engine_restarts"] == "0"
    assert one.stop() == 0
    assert "is in the bucket: yes" in one.last_word()
