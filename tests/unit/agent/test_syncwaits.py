"""Commits that wait for a synchronous standby, told from a busy server's."""

from datetime import UTC, datetime

from walsup.agent.syncwaits import SyncWaits, Waits

AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_one_that_waits_on_is_told_and_ends() -> None:
    """Ten seconds by one session's own statement."""
    waits = SyncWaits()
    seen = Waits("FIRST 1 (a)", ("b",), ((1, AT), (2, AT)))
    assert waits.look(seen, 100.0) is None
    assert waits.look(seen, 109.0) is None
    found = waits.look(seen, 110.0)
    assert found is not None
    assert found.kind == "commits wait"
    assert "2 sessions" in found.problem
    assert "'FIRST 1 (a)', connected standbys: b" in found.problem
    assert waits.look(Waits("FIRST 1 (a)", (), ()), 111.0) is None
    assert waits.look(seen, 120.0) is None  # these have just begun


def test_a_busy_server_always_has_some_that_wait() -> None:
    """Each of them for another statement."""
    waits = SyncWaits()
    for second in range(60):
        seen = Waits("a", ("a",), ((1, AT.replace(minute=second)), (3, None)))
        if second % 2:
            seen = seen._replace(waiting=seen.waiting[:1])
        assert waits.look(seen, float(second)) is None
