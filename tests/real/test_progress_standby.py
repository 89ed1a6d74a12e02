"""Green needs progress: a standby that makes none does not follow.

All tests share a primary and a standby, and leave them well.
"""

import os
from collections.abc import Iterator
from signal import SIGCONT, SIGSTOP
from typing import NamedTuple

import pytest

from dev.harness import Machine, S3Server, Walsup
from dev.harness.checks.progress import process, wait_well
from dev.harness.checks.witness import segments, status, wait_fault, wait_protected
from dev.harness.scenarios.standbys import (
    EAGER,
    LEASE,
    STANDBY,
    archive_now,
    conninfo,
    wait_source,
    written,
)


class _Two(NamedTuple):
    primary: Walsup
    standby: Walsup


@pytest.fixture(scope="module")
def running(machine: Machine, engine: str, s3: S3Server) -> Iterator[_Two]:
    """A primary, and a standby that streams from it."""
    with Walsup(machine, engine=engine, s3=s3, env=LEASE) as primary:
        primary.start()
        wait_protected(primary)
        env = STANDBY | {"WALSUP_PRIMARY_CONNINFO": conninfo(primary)}
        with Walsup(
            machine, engine=engine, s3=s3, prefix=primary.prefix, env=env, args=EAGER
        ) as standby:
            standby.start()
            yield _Two(primary, standby)


@pytest.fixture
def two(running: _Two) -> _Two:
    """Both of them, protected."""
    wait_source(running.standby, "streaming")
    wait_protected(running.standby)
    return running


@pytest.mark.parametrize(("title", "named"), [("walreceiver", "receiver"), ("startup", "startup")])
def test_a_standby_with_a_stopped_process_does_not_follow(
    two: _Two, title: str, named: str
) -> None:
    """The receiver gets no WAL, or the startup process replays none."""
    standby = two.standby
    stopped = process(standby, title)
    os.kill(stopped, SIGSTOP)
    try:
        assert named in wait_fault(standby, "processes")["problem"]
        assert not status(standby)["protected"]
    finally:
        os.kill(stopped, SIGCONT)
    wait_well(standby, "processes")


def test_a_standby_whose_replay_is_paused_does_not_follow(two: _Two) -> None:
    """It receives everything and shows nothing of it; resumed, it moves again."""
    primary, standby = two
    standby.psql("select pg_wal_replay_pause()")
    try:
        assert "paused" in wait_fault(standby, "replay")["problem"]
        assert not status(standby)["protected"]
    finally:
        standby.psql("select pg_wal_replay_resume()")
    wait_well(standby, "replay")
    written(primary)
    archive_now(primary)
    standby.wait_for(lambda: status(standby)["standby"]["still_s"] < 5, "it moves")
    wait_protected(standby)


def test_a_standby_before_a_gap_in_the_archive_does_not_follow(two: _Two, s3: S3Server) -> None:
    """Without its primary it stands before what is not in the archive, though more is."""
    primary, standby = two
    written(primary)
    archive_now(primary)
    assert primary.stop() == 0
    wait_source(standby, "archive")
    standby.wait_for(lambda: status(standby)["standby"]["at_end"], "it has read the archive")
    last = segments(s3, primary.prefix)[-1]
    key = next(key for key in s3.keys(primary.prefix) if last in key)
    name, later = last[:24], f"{last[:16]}{int(last[16:24], 16) + 2:08X}"
    s3.put(key.replace(name, later), s3.get(key))
    try:
        assert later in wait_fault(standby, "standby", timeout_s=60)["problem"]
        assert not status(standby)["protected"]
    finally:
        s3.delete(key.replace(name, later))
        primary.start()
    wait_well(standby, "standby")
