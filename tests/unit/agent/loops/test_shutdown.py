"""The end of a stop: every way to it gives PID 1 a verdict, and none says yes unproven."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.agent.holding import OWNER, Held
from tests.unit.postgres.controlbytes import control_file
from walsup.agent.loops import shutdown
from walsup.agent.snapshot import Gate, Pid1State
from walsup.agent.states import GateState
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultKind
from walsup.postgres import pg_control, standby_signal
from walsup.postgres.pg_control import ControlData, DBState
from walsup.postgres.wal import show_lsn

_LONG_S = 20.0
_HEADER_BYTES = 40


class Stop(Held):
    """An agent whose postgres has ended; `verdict` reads what PID 1 was told."""

    pipe = -1

    async def verdict(self, *, within_s: float = _LONG_S) -> str | None:
        """Run the end of the stop; gives its verdict, None when there is none."""
        until_s = time.monotonic() + within_s
        self.context.board.put(init=Pid1State(stop_deadline_s=until_s))
        self.context.signals.sweeping.set()
        await shutdown.stop(self.context)
        os.set_blocking(self.pipe, False)
        try:
            lines = os.read(self.pipe, 1 << 16).splitlines()
        except BlockingIOError:
            return None
        verdicts = [str(m["verdict"]) for m in map(json.loads, lines) if "verdict" in m]
        assert len(verdicts) == 1
        return verdicts[0]

    def has_crashed(self) -> None:
        """Postgres has ended without a shutdown checkpoint."""
        pgdata = self.context.settings.pgdata
        told = pg_control.read(pgdata)  # its state is the file's own, "in production"
        (pgdata / "global" / "pg_control").write_bytes(control_file(told=told))

    def is_open(self) -> None:
        """Archiving is enabled."""
        self.context.board.put(gate=Gate(state=GateState.OPEN))

    def is_shut(self, fault: Fault) -> None:
        """Archiving is disabled, because of this."""
        self.context.session.lease = None
        self.context.board.fault(Subject.GATE, fault)
        self.context.board.put(gate=Gate(state=GateState.SHUT, reason=fault.problem))


@pytest.fixture
def stop(pgdata: Path, tmp_path: Path) -> Iterator[Stop]:
    """A database that was shut down cleanly."""
    pipe, wire = os.pipe()
    made = Stop.begin(pgdata, tmp_path, wire)
    assert isinstance(made, Stop)
    made.pipe = pipe
    yield made
    os.close(pipe)
    os.close(wire)


async def test_without_an_archive_there_is_no_verdict(stop: Stop) -> None:
    """Nothing was promised."""
    stop.context.session.bucket = None
    assert await stop.verdict() is None


async def test_a_standby_archives_nothing(stop: Stop) -> None:
    """The verdict says how far it has replayed; the archive stays its primary's."""
    (stop.context.settings.pgdata / standby_signal.SIGNAL).touch()
    said = await stop.verdict()
    assert said is not None
    assert "a standby archives nothing" in said
    assert stop.bucket.writes == 0


async def test_disabled_archiving_is_a_no_with_its_reason(stop: Stop) -> None:
    """A person has to decide: the stop does not wait for that."""
    stop.is_shut(Fault(FaultKind.NOT_THE_OWNER, "the archive is of another cluster"))
    said = await stop.verdict()
    assert said is not None
    assert ": no: " in said
    assert "the archive is of another cluster" in said
    assert stop.bucket.writes == 0


async def test_what_may_pass_is_tried_again_until_the_deadline(stop: Stop) -> None:
    """The gate's own next try may be far away; without an answer nothing is proven."""
    stop.is_shut(Fault(FaultKind.TIMEOUT, "the bucket is slow"))
    said = await stop.verdict(within_s=0.5)
    assert stop.context.signals.reopen.is_set()
    assert said is not None
    assert ": no: " in said
    assert "in time" in said


async def test_a_bucket_that_does_not_answer_ends_the_stop_before_the_deadline(stop: Stop) -> None:
    """After WALSUP_STOP_PATIENCE; the verdict says what is only on the disk."""
    stop.context.settings = stop.context.settings._replace(stop_patience_s=0.0)
    stop.bucket.unread = TimeoutError("no answer")
    said = await stop.verdict()
    assert said is not None
    assert "the bucket has not answered" in said
    assert "only on the disk" in said


async def test_a_database_that_did_not_shut_down_is_given_up_with_a_no(stop: Stop) -> None:
    """What it wrote last may be nowhere but on the disk; the next start need not wait."""
    stop.has_crashed()
    stop.is_open()
    said = await stop.verdict()
    assert said is not None
    assert ": no: postgres did not shut down" in said
    assert (stop.bucket.owner.state, stop.bucket.owner.verdict) == ("stopped", said)
    assert stop.context.session.lease is None


async def test_a_promotion_of_another_start_meanwhile_is_left_as_it_is(stop: Stop) -> None:
    """The owner object of another start is never marked stopped."""
    stop.has_crashed()
    theirs = replace(OWNER, boot="another").signed()
    stop.bucket.put(theirs)
    stop.is_open()
    said = await stop.verdict()
    assert said is not None
    assert ": no: " in said
    assert stop.bucket.owner == theirs


@given(
    lsn=st.integers(1 << 31, 1 << 40),
    size=st.sampled_from([1 << 20, 1 << 24, 1 << 30]),
    timeline=st.integers(1, 99),
)
def test_all_before_the_checkpoint_is_needed_and_nothing_after_it(
    lsn: int, size: int, timeline: int
) -> None:
    """Whole segments before it; what its own segment has before it is the rest."""
    found = ControlData(
        system_id=1,
        state=DBState.SHUT_DOWN,
        checkpoint_lsn=lsn,
        redo_lsn=lsn,
        timeline=timeline,
        segment_size=size,
        catalog_version=1,
        control_version=1300,
    )
    needed = shutdown.needed_for(found)
    end_lsn = needed.last.end_lsn
    assert needed.last.timeline == timeline
    assert end_lsn <= lsn < end_lsn + size, show_lsn(lsn)
    assert needed.rest_bytes == max(0, lsn - end_lsn - _HEADER_BYTES)
