"""The lag's meter (S33), against a model that knows what really is on the disk."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from walsup.agent.lag_meter import Meter
from walsup.postgres.wal import Segment

SIZE = 1 << 20


def segment(number: int, timeline: int = 1) -> Segment:
    """The `number`-th segment."""
    return Segment(timeline=timeline, number=number, size=SIZE)


def at(number: float) -> int:
    """A position, in segments."""
    return int(number * SIZE)


def idle_meter() -> Meter:
    """A meter of a database that has been idle since the switch into segment 5."""
    meter = Meter(segment(3))
    meter.sample(0, at(4.5), 1, xmax=10)
    meter.switched(1, xmax=10)
    meter.sample(2, at(5) + 96, 1, xmax=10)
    meter.proven(segment(4))
    return meter


def test_nothing_is_known_at_first() -> None:
    """Before postgres has said where it is, the lag is not known and not zero."""
    lag = Meter(segment(3)).read(0)
    assert (lag.known, lag.idle, lag.bytes) == (False, False, None)


@pytest.mark.rule("lag")
def test_idle_database_has_no_lag_however_old() -> None:
    """The 96 bytes that PostgreSQL never archives are no lag, and ask for no switch."""
    meter = idle_meter()
    lag = meter.read(1e9)
    assert (lag.idle, lag.segments, lag.bytes, lag.seconds) == (True, 0, 0, 0)
    assert not meter.needs_switch(1e9, 60)


@pytest.mark.rule("lag")
def test_an_xid_after_the_switch_counts() -> None:
    """One assigned xid ends the idleness; its age is not that of the idle bytes."""
    meter = idle_meter()
    meter.sample(1000, at(5.25), 1, xmax=11)
    lag = meter.read(1010)
    assert not lag.idle
    assert lag.bytes == at(0.25)
    assert lag.seconds == 10


@pytest.mark.rule("lag")
def test_an_xid_in_progress_at_the_switch_counts() -> None:
    """It may have committed since without any new xid; the next switch ends the doubt."""
    meter = Meter(segment(3))
    meter.sample(0, at(4.5), 1, xmax=10, xmin=9)
    meter.switched(1, xmax=10, xmin=9)
    meter.sample(2, at(5.1), 1, xmax=10, xmin=10)
    meter.proven(segment(4))
    assert not meter.read(3).idle
    meter.switched(100, xmax=10, xmin=10)
    meter.sample(101, at(6) + 96, 1, xmax=10, xmin=10)
    meter.proven(segment(5))
    assert meter.read(102).idle


def test_h_an_idle_open_transaction_needs_no_switch_when_the_wal_has_nothing_of_it() -> None:
    """What PostgreSQL writes by itself is read, and is no lag; a commit is."""
    meter = Meter(segment(3))
    meter.sample(0, at(4.5), 1, xmax=10, xmin=9)
    meter.switched(1, xmax=10, xmin=9)
    meter.sample(2, at(5) + 96, 1, xmax=10, xmin=9)
    meter.proven(segment(4))
    assert meter.needs_switch(1000, 60)
    assert meter.doubtful == (segment(5), at(5) + 96)
    meter.looked(at(5) + 96, quiet=True)
    assert (meter.read(1000).idle, meter.read(1000).bytes) == (True, 0)
    assert not meter.needs_switch(1000, 60)
    assert meter.doubtful is None
    meter.sample(1001, at(5) + 160, 1, xmax=10, xmin=10)  # perhaps its commit
    assert not meter.read(1001).idle
    assert meter.doubtful == (segment(5), at(5) + 160)
    meter.looked(at(5) + 160, quiet=False)
    assert not meter.read(1002).idle
    assert meter.needs_switch(1002, 60)
    assert meter.doubtful is None


@pytest.mark.rule("lag")
def test_a_switch_of_ours_proves_nothing_yet() -> None:
    """Between the switch and the next sample the old segment is still to be proven."""
    meter = Meter(segment(4))
    meter.sample(0, at(5.5), 1, xmax=10)
    meter.switched(1, xmax=10)
    lag = meter.read(1)
    assert not lag.idle
    assert lag.bytes == at(0.5)
    meter.sample(2, at(6), 1, xmax=10)
    assert not meter.read(2).idle
    meter.proven(segment(5))
    assert meter.read(2).idle


@pytest.mark.rule("lag")
def test_a_commit_between_sample_and_switch_is_in_the_doubt() -> None:
    """PostgreSQL's own switch is only seen afterwards: what came before it counts as behind."""
    meter = Meter(segment(3))
    meter.sample(0, at(4.5), 1, xmax=10)
    meter.sample(1, at(5.5), 1, xmax=11)
    meter.proven(segment(4))
    assert not meter.read(2).idle


@pytest.mark.rule("lag")
def test_our_own_switch_knows_its_xids() -> None:
    """They were read with the switch, so a commit since the last sample leaves no doubt."""
    meter = Meter(segment(4))
    meter.sample(0, at(5.5), 1, xmax=10)
    meter.switched(1, xmax=15)
    meter.sample(2, at(6) + 96, 1, xmax=15)
    meter.proven(segment(5))
    assert meter.read(2).idle


@pytest.mark.rule("lag")
def test_after_a_start_the_current_segment_counts() -> None:
    """What was written before the agent looked is not known to be nothing."""
    meter = Meter(segment(4))
    meter.sample(0, at(5) + 96, 1, xmax=10)
    assert not meter.read(0).idle
    assert Meter(segment(4)).read(0).known is False
    meter = Meter(segment(4))
    meter.sample(0, at(5), 1, xmax=10)
    assert meter.read(0).idle


def test_waiting_since() -> None:
    """What already waited at the start is as old as its file."""
    meter = Meter(segment(3), waiting_since_s=-500)
    meter.sample(0, at(5.5), 1, xmax=10)
    assert meter.read(10).seconds == 510
    meter.proven(segment(4))
    meter.sample(11, at(5.6), 1, xmax=10)
    assert meter.read(11).segments == 0


def test_lag_counts_finished_segments_and_bytes() -> None:
    """Segments are finished ones; bytes are all behind the mark; seconds those of the oldest."""
    meter = Meter(segment(3))
    for second, position in enumerate((4.1, 5.1, 6.1, 7.5)):
        meter.sample(second, at(position), 1, xmax=10 + second)
    lag = meter.read(10)
    assert (lag.segments, lag.bytes, lag.seconds) == (3, at(3.5), 10)
    meter.proven(segment(5))
    lag = meter.read(10)
    assert (lag.segments, lag.bytes, lag.seconds) == (1, at(1.5), 8)
    assert lag.proven_lsn == at(6)


def test_needs_switch() -> None:
    """After the time-out without a switch, when nothing finished waits already."""
    meter = Meter(segment(4))
    meter.sample(0, at(5.5), 1, xmax=10)
    assert not meter.needs_switch(60, 60)
    assert meter.needs_switch(61, 60)
    meter.switched(61, xmax=10)
    assert not meter.needs_switch(62, 60)
    meter.sample(62, at(6.5), 1, xmax=11)
    assert not meter.needs_switch(200, 60)  # segment 5 waits: a further one would not help
    meter.proven(segment(5))
    assert meter.needs_switch(200, 60)


def test_mark_never_goes_back() -> None:
    """A listing that began before another one ended does not take back what that has proven."""
    meter = Meter(segment(3))
    meter.proven(segment(7))
    meter.proven(segment(5))
    assert meter.mark == segment(7)


def test_new_timeline_starts_with_the_segment_of_its_switch_point() -> None:
    """The old timeline is proven up to the segment before; there the mark changes over."""
    meter = Meter(segment(4, timeline=9))
    meter.sample(0, at(7.2), 9, xmax=10)
    meter.follow(10, at(7.3))
    meter.sample(1, at(8.5), 10, xmax=11)
    assert meter.mark == segment(4, timeline=9)
    meter.proven(segment(5, timeline=9))
    assert meter.read(2).segments == 2
    meter.proven(segment(6, timeline=9))
    assert meter.mark == segment(6, timeline=10)
    assert meter.mark.next().name == "0000000A0000000000000007"
    meter.proven(segment(7, timeline=10))
    assert meter.read(2).segments == 0


def test_old_timeline_behind_the_switch_point_proves_nothing() -> None:
    """What the old primary has archived further is not the new timeline's."""
    meter = Meter(segment(9, timeline=1))
    meter.follow(2, at(7.3))
    meter.sample(0, at(8.5), 2, xmax=11)
    assert meter.mark == segment(6, timeline=2)


def test_new_timeline_without_its_history() -> None:
    """The first position that is seen is taken for its beginning."""
    meter = Meter(segment(6, timeline=1))
    meter.sample(0, at(7.2), 1, xmax=10)
    meter.sample(1, at(7.4), 2, xmax=10)
    assert meter.mark == segment(6, timeline=2)
    assert not meter.read(1).idle


def test_two_timelines_at_once() -> None:
    """A database that was promoted twice while nobody looked is followed through both."""
    meter = Meter(segment(4, timeline=1))
    meter.follow(2, at(5.5))
    meter.follow(3, at(7.5))
    meter.sample(0, at(8.5), 3, xmax=10)
    assert meter.mark == segment(4, timeline=2)
    meter.proven(segment(6, timeline=2))
    assert meter.mark == segment(6, timeline=3)


def test_many_samples_are_joined_towards_too_old() -> None:
    """The memory is bounded, and the oldest unproven byte never gets younger by it."""
    meter = Meter(segment(0))
    for second in range(20_000):
        meter.sample(second, at(1) + second * 600, 1, xmax=second)
    for number in range(1, 11):
        meter.proven(segment(number))
        wrote_s = -((at(1) - at(number + 1)) // 600)
        age_s = 20_000 - wrote_s
        assert age_s - 1 <= meter.read(20_000).seconds <= age_s + 600


class Model:
    """A database, its archiver and bucket: it knows each byte's xid and whether it is proven."""

    def __init__(self) -> None:
        self.lsn = at(3)
        self.next_xid = 10
        self.open: set[int] = set()
        self.carrying: list[tuple[int, float]] = []
        self.now_s = 0.0
        self.mark = segment(2)
        self.meter = Meter(self.mark)
        self.samples: list[float] = []

    def write(self, size: int, *, xid: bool) -> None:
        """WAL of a transaction that has an xid, or of vacuum and checkpoints."""
        self.lsn += size
        if xid:
            self.carrying.append((self.lsn - 1, self.now_s))

    @property
    def xmin(self) -> int:
        """The oldest xid in progress."""
        return min(self.open, default=self.next_xid)

    def switch(self) -> None:
        """Finish the segment, unless nothing is in it."""
        self.lsn = -(-self.lsn // SIZE) * SIZE

    def look(self) -> None:
        """Read the WAL, if it could tell more."""
        if (doubt := self.meter.doubtful) is not None:
            current, lsn = doubt
            quiet = not any(current.start_lsn <= at < lsn for at, _ in self.carrying)
            self.meter.looked(lsn, quiet=quiet)

    def do(self, step: str, size: int) -> None:  # noqa: C901 (a table of steps)
        """One step of the context."""
        self.now_s += 1
        match step:
            case "begin":
                self.open.add(self.next_xid)
                self.next_xid += 1
                self.write(size, xid=True)
            case "work" | "commit" if self.open:
                self.write(size, xid=True)
                if step == "commit":
                    self.open.discard(min(self.open))
            case "vacuum":
                self.write(size, xid=False)
            case "switch":
                self.switch()
            case "our switch":
                xids = self.next_xid, self.xmin
                self.switch()
                self.meter.switched(self.now_s, *xids)
            case "sample":
                self.samples.append(self.now_s)
                self.meter.sample(self.now_s, self.lsn, 1, self.next_xid, self.xmin)
            case "look":
                self.look()
            case "prove one" if self.mark.number < self.lsn // SIZE - 1:
                self.mark = self.mark.next()
                self.meter.proven(self.mark)
            case "prove all":
                self.mark = segment(self.lsn // SIZE - 1)
                self.meter.proven(self.mark)

    def unproven(self) -> list[float]:
        """When the unproven bytes were written that carry an xid and that a sample has seen."""
        seen_s = self.samples[-1] if self.samples else 0.0
        end = self.meter.mark.end_lsn
        return [at_s for lsn, at_s in self.carrying if lsn >= end and at_s < seen_s]


STEPS = st.sampled_from(
    [
        *("begin", "work", "commit", "vacuum", "switch", "our switch"),
        *("sample", "sample", "look", "look", "prove one", "prove all", "prove all"),
    ]
)
SIZES = st.sampled_from([34, 96, 8192, SIZE // 2])


@settings(max_examples=1000)
@given(st.lists(st.tuples(STEPS, SIZES), max_size=60))
@pytest.mark.rule("lag")
def test_idle_is_never_said_too_early(steps: list[tuple[str, int]]) -> None:
    """While a byte that carries an xid is unproven, what a sample has seen is never idle."""
    model = Model()
    for step, size in steps:
        model.do(step, size)
        if unproven := model.unproven():
            lag = model.meter.read(model.now_s)
            assert not lag.idle
            assert lag.bytes
            # A byte is first seen by the sample that follows it.
            seen_s = next(at_s for at_s in model.samples if at_s > min(unproven))
            assert lag.seconds >= model.now_s - seen_s


@settings(max_examples=200)
@given(st.lists(st.tuples(STEPS, SIZES), max_size=40))
@pytest.mark.rule("lag")
def test_a_quiet_database_becomes_idle(steps: list[tuple[str, int]]) -> None:
    """Whatever has happened: all ended, a switch, all uploaded, and the lag is zero."""
    model = Model()
    for step, size in steps:
        model.do(step, size)
    while model.open:
        model.do("commit", 34)
    for step in ("vacuum", "sample", "our switch", "sample", "vacuum", "sample"):
        model.do(step, 96)
    model.do("prove all", 0)
    lag = model.meter.read(model.now_s + 1e6)
    assert (lag.idle, lag.bytes, lag.seconds) == (True, 0, 0)


@pytest.mark.parametrize("size", [1 << 20, 1 << 24, 1 << 30])
def test_segment_sizes(size: int) -> None:
    """Other --wal-segsize are counted in their own segments."""
    meter = Meter(Segment(timeline=1, number=0, size=size))
    meter.sample(0, size * 3 + 5, 1, xmax=1)
    assert meter.read(0).segments == 2


@pytest.mark.rule("quiet-database")
def test_until_when_everything_is_proven() -> None:
    """The last question whose answer lies before the mark; what was committed later may not."""
    meter = Meter(segment(3))
    assert meter.complete_s is None
    for second in range(4):
        meter.sample(second + 0.4, at(4.1 + second / 5), 1, xmax=10 + second, asked_s=second)
    assert meter.complete_s is None
    meter.sample(4.4, at(5.1), 1, xmax=20, asked_s=4)
    meter.proven(segment(4))
    assert meter.complete_s == 3
    meter.sample(5.4, at(5.2), 1, xmax=21, asked_s=5)
    assert meter.complete_s == 3


@pytest.mark.rule("quiet-database")
def test_an_idle_database_is_complete_until_now() -> None:
    """With the time of the question, not of the answer: a commit may come in between."""
    meter = idle_meter()
    meter.sample(1000.9, at(5) + 96, 1, xmax=10, asked_s=1000.5)
    assert meter.complete_s == 1000.5
    meter.sample(1001.9, at(5.5), 1, xmax=11, asked_s=1001.5)
    assert meter.complete_s == 1000.5


@pytest.mark.rule("lag")
def test_a_new_timeline_without_its_history_makes_nothing_complete() -> None:
    """The segment that was left at the switch is not verified: its commits still wait."""
    meter = Meter(segment(3))
    meter.sample(0, at(4.5), 1, xmax=10, asked_s=0)
    meter.sample(1, at(4.7), 1, xmax=12, asked_s=1)
    meter.sample(2, at(5.1), 2, xmax=12, asked_s=2)
    assert meter.complete_s is None
    assert meter.read(3).seconds == 3


@pytest.mark.rule("lag")
def test_the_time_for_a_switch_begins_with_the_switch_that_a_sample_shows() -> None:
    """A segment that was begun a moment ago is not overdue, whoever finished the one before."""
    meter = Meter(segment(3))
    meter.sample(0, at(4.5), 1, xmax=10)
    meter.sample(100, at(5.1), 1, xmax=12)
    meter.sample(101, at(5.2), 1, xmax=13)
    meter.proven(segment(4))
    assert not meter.needs_switch(159, 60)
    assert meter.needs_switch(161, 60)
