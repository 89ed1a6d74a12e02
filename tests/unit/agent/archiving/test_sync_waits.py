"""Commits that wait for a synchronous standby, told from a busy server's."""

from datetime import UTC, datetime, timedelta

import pytest

from walsup.agent.archiving.sync_waits import CommitWait, SyncWaits, Waits

AT = datetime(2026, 1, 1, tzinfo=UTC)
CONNECTED = 1


def wait(pid: int, statement_s: int = 0, xid: int | None = 700) -> CommitWait:
    """A session's wait, of a statement that began then."""
    at = AT + timedelta(seconds=statement_s)
    return CommitWait(pid, at, at, xid)


def test_one_that_waits_on_is_reported_steadily_and_ends() -> None:
    """Ten seconds by one commit's own wait; others come and go."""
    waits = SyncWaits()
    seen = Waits("FIRST 1 (a)", ("a",), (wait(1), wait(2)), CONNECTED)
    assert waits.look(seen, 100.0) is None
    assert waits.look(seen, 109.0) is None
    found = waits.look(seen, 110.0)
    assert found is not None
    assert found.kind == "commits wait"
    assert "'FIRST 1 (a)', connected standbys: a" in found.problem
    for second in range(20):
        more = seen._replace(waiting=(wait(1), wait(3, second)))
        assert waits.look(more, 111.0 + second) == found
    assert waits.look(Waits("FIRST 1 (a)", ("a",), (), CONNECTED), 132.0) is None
    assert waits.look(seen, 140.0) is None  # these have just begun


def test_a_busy_server_always_has_some_that_wait() -> None:
    """Each of them for another statement."""
    waits = SyncWaits()
    for second in range(60):
        seen = Waits("a", ("a",), (wait(1, second), CommitWait(3, None, None, second)), CONNECTED)
        assert waits.look(seen, float(second)) is None


def test_a_procedure_that_commits_in_a_loop_waits_for_each_commit() -> None:
    """One statement; its transactions, or only their xids, tell its waits apart."""
    waits = SyncWaits()
    for second in range(60):
        called = CommitWait(1, AT, AT + timedelta(seconds=second), 700 + second)
        in_one_text = CommitWait(2, AT, AT, 900 + second)
        seen = Waits("a", ("a",), (called, in_one_text), CONNECTED)
        assert waits.look(seen, float(second)) is None


@pytest.mark.parametrize(
    ("names", "synchronous"),
    [("a", 0), ("FIRST 2 (a, b)", 1), ("any 2(a,b)", 1), ("3 (a, b, c)", 2), ('"2 (", b', 0)],
)
def test_clients_that_give_up_one_after_the_other_are_reported(
    names: str, synchronous: int
) -> None:
    """Too few standbys are connected: no commit is confirmed, however short each wait is."""
    waits = SyncWaits()
    found = []
    for look in range(20):
        waiting = () if look % 3 == 2 else (wait(1, look, 700 + look),)
        found.append(waits.look(Waits(names, ("x",), waiting, synchronous), look * 5.0))
    assert found[:2] == [None, None]
    assert found[3] is not None
    assert all(one == found[3] for one in found[3:])
    enough = Waits(names, ("x",), (wait(1, 99, 999),), synchronous + 1)
    assert waits.look(enough, 100.0) is None


def test_too_few_standbys_are_no_matter_while_nobody_commits() -> None:
    """What has waited once is forgotten."""
    waits = SyncWaits()
    seen = Waits("a", (), (wait(1),), 0)
    assert waits.look(seen, 0.0) is None
    for look in range(1, 40):
        assert waits.look(seen._replace(waiting=()), look * 5.0) is None
