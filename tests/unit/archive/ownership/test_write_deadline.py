"""The deadline of a primary that cannot renew: lease, echoes, and who may be promoted."""

import math

import pytest

from walsup.archive.lease_terms import HOLDER_LEASES, RIVAL_LEASES, STREAM_LEASES
from walsup.archive.ownership.write_deadline import WriteDeadline
from walsup.init.deadline_enforcer import KILL_LEASES

L = 10.0


def fence(*, alone: bool = False, heirs: frozenset[str] = frozenset({"b"})) -> WriteDeadline:
    """A primary that has renewed at 100, with these standbys in its object."""
    made = WriteDeadline(L, alone=alone)
    made.renews(heirs)
    made.renewed(100.0, heirs)
    return made


def test_silence_never_ends_a_primary_of_which_no_standby_streams() -> None:
    """An outage of S3 must not become the database's."""
    assert fence(heirs=frozenset()).until_s == math.inf
    assert WriteDeadline(L, alone=True).until_s == math.inf  # it has never held the archive
    assert fence(heirs=frozenset(), alone=True).until_s == 100 + HOLDER_LEASES * L


def test_an_echo_counts_from_when_its_wal_was_written_not_from_when_it_came() -> None:
    """A reply may be old; what it acknowledges was written after a moment of our own clock."""
    made = fence()
    made.wrote(120.0, 5000)
    made.wrote(130.0, 6000)
    made.acknowledged({"b": 5999})
    assert made.until_s == 130.0
    made.acknowledged({"b": 6000})
    assert made.until_s == 140.0


def test_a_position_that_stands_still_is_no_echo() -> None:
    """The standby has it from before: it says nothing of now."""
    made = fence()
    made.wrote(101.0, 5000)
    made.wrote(150.0, 5000)
    made.acknowledged({"b": 5000})
    assert made.until_s == 100 + HOLDER_LEASES * L


def test_a_standby_lags_when_it_lacks_wal_of_more_than_a_lease_ago() -> None:
    """An idle primary's does not, however long ago it acknowledged something."""
    made = fence()
    made.wrote(120.0, 5000)
    made.acknowledged({"b": 5000, "other": 1})
    assert made.lagging(500.0, 1.0) == ()
    made.wrote(520.0, 6000)
    assert made.lagging(525.0, 1.0) == ()
    assert made.lagging(525.0 + L, 1.0) == ("b",)
    made.wrote(530.0, 7000)
    made.acknowledged({"b": 6500})
    assert made.lagging(535.0, 1.0) == ()
    assert made.lagging(536.0, 0.5) == ("b",)
    made.acknowledged({})  # it streams no more: the next renewal does not list it
    assert made.lagging(1000.0, 1.0) == ()


@pytest.mark.parametrize("lag", [1, 60, 70, 200, 1000])
def test_a_long_lag_still_has_its_echo(lag: int) -> None:
    """Which may be older than it is, by a fraction of the lag, and never newer."""
    made = fence()
    for second in range(3000):
        made.wrote(1000.0 + second, second)
    at = 2999 - lag
    made.acknowledged({"b": at})
    assert 1000.0 + at - max(2, lag / 4) <= made.until_s - L <= 1000.0 + at


def test_a_deadline_leaves_time_for_kill_before_a_promotion() -> None:
    """Also when one clock is a tenth too slow and the other a tenth too fast."""
    made = fence()
    made.wrote(1000.0, 5000)
    made.acknowledged({"b": 5000})
    echo_leases = (made.until_s - 1000.0) / L
    assert (echo_leases + KILL_LEASES) * 1.1 < STREAM_LEASES * 0.9
    # A lease has less to spare: a twentieth.
    assert (HOLDER_LEASES + KILL_LEASES) * 1.05 < RIVAL_LEASES * 0.95


def test_every_standby_that_may_be_promoted_has_to_acknowledge() -> None:
    """The one that does not may be the one that is promoted."""
    made = fence(heirs=frozenset({"b", "c"}))
    made.wrote(150.0, 5000)
    made.acknowledged({"b": 5000})
    assert made.until_s == 100 + HOLDER_LEASES * L
    made.acknowledged({"c": 5000})
    assert made.until_s == 160.0


def test_a_standby_that_left_counts_until_the_object_is_known_to_list_it_no_more() -> None:
    """The renewal without it may not have arrived."""
    made = fence()
    assert made.renews(frozenset()) == ()
    assert made.heirs == {"b"}
    made.wrote(150.0, 5000)
    made.acknowledged({})
    assert made.until_s == 100 + HOLDER_LEASES * L
    made.renewed(110.0, frozenset())
    assert made.heirs == frozenset()
    assert made.until_s == math.inf


def test_a_standby_of_an_unanswered_renewal_counts_as_listed() -> None:
    """It may be in the object by now, and be promoted."""
    made = fence()
    made.renews(frozenset({"b", "c"}))
    made.wrote(150.0, 5000)
    made.acknowledged({"b": 5000})
    assert made.until_s == 100 + HOLDER_LEASES * L


def test_the_deadline_never_moves_back() -> None:
    """PID 1 may have looked already."""
    made = fence()
    made.wrote(150.0, 5000)
    made.acknowledged({"b": 5000})
    made.renews(frozenset({"b", "c"}))
    made.renewed(120.0, frozenset({"b", "c"}))
    assert made.until_s == 160.0


@pytest.mark.parametrize(("late_s", "late"), [(111.0, False), (113.0, True)])
def test_wal_is_written_for_it_only_when_a_renewal_is_late(late_s: float, late: bool) -> None:  # noqa: FBT001 (a case)
    """An idle database writes none while its archive answers."""
    assert fence().is_late(late_s) is late


def test_the_next_agent_goes_on_from_what_the_last_one_knew() -> None:
    """Also from the deadline that acknowledged WAL had moved."""
    made = fence()
    made.renews(frozenset({"c"}))
    again = WriteDeadline(L, alone=False)
    again.resume(made.state(), 155.0)
    assert again.heirs == {"b", "c"}
    assert again.until_s == 155.0
    nothing = WriteDeadline(L, alone=False)
    nothing.resume(WriteDeadline(L, alone=False).state(), math.inf)
    assert nothing.until_s == math.inf
