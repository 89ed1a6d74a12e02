"""When WAL-G's daemon is exchanged for a fresh one: never in the way of work, once after it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.agent.snapshots import PROTECTED
from walsup.agent.board import BackupSeen, Gate, Snapshot
from walsup.agent.loops.rest import Rest, own_kib

QUIET = replace(PROTECTED, lag=replace(PROTECTED.lag, segments=0))


def looks(resting: Rest, seen: Snapshot, from_s: float, until_s: float) -> list[float]:
    """The seconds at which it is due, looked at every ten of them."""
    return [s for s in range(int(from_s), int(until_s), 10) if resting.is_due(seen, s)]


def test_s27_two_minutes_after_the_last_segment_and_once() -> None:
    """What has been refreshed and archives nothing has nothing to give back."""
    resting = Rest()
    assert looks(resting, QUIET, 0, 121)[:1] == [120]
    resting.refreshed()
    assert looks(resting, QUIET, 130, 3600) == []
    moved = replace(QUIET, lag=replace(QUIET.lag, proven_lsn=QUIET.lag.proven_lsn + (16 << 20)))
    assert looks(resting, moved, 3600, 3800)[:1] == [3720]


@pytest.mark.parametrize(
    "busy",
    [
        replace(QUIET, lag=replace(QUIET.lag, segments=1)),
        replace(QUIET, gate=Gate(state="shut")),
        replace(QUIET, backup=BackupSeen(state="running")),
    ],
)
def test_s27_never_while_there_is_work(busy: Snapshot) -> None:
    """A push or a base backup would meet a daemon that is being exchanged."""
    resting = Rest()
    assert looks(resting, busy, 0, 3600) == []
    assert looks(resting, QUIET, 3600, 3721)[:1] == [3710]


def test_own_memory_of_a_process(tmp_path: Path) -> None:
    """As the kernel tells it; of one that has gone there is none."""
    assert own_kib(os.getpid()) > 1000
    assert own_kib(1, tmp_path) == 0
