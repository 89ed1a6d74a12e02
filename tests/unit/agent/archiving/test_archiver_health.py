"""An archiver that is missing or stopped is named after a few seconds."""

from dataclasses import replace

from tests.unit.agent.archiving.snapshots import MOVED, NOTHING_WAITS, SHUT, WAITING
from walsup.agent.archiving.archiver_health import ArchiverHealth
from walsup.agent.archiving.watchdog_actions import ClearFault, ShowFault
from walsup.agent.snapshot import Snapshot
from walsup.agent.subject import Subject
from walsup.postgres.processes.archiver import Archiver

RUNS = Archiver(pid=150, state="S", push=0)
STOPPED = Archiver(pid=150, state="T", push=0)
PUSH_STOPPED = Archiver(pid=150, state="S", push=160, push_state="T")
CLEAR = [ClearFault(Subject.ARCHIVER)]


def _problem(seen: Snapshot, archiver: Archiver | None) -> str:
    match ArchiverHealth(seen, 0.0).step(seen, archiver, 5.25):
        case [ShowFault(Subject.ARCHIVER, fault)]:
            return fault.problem
        case _:
            return ""


def test_what_cannot_work_is_named() -> None:
    """None at all, the archiver, or the command that it runs."""
    assert "no archiver process" in _problem(WAITING, None)
    assert "the archiver (pid 150)" in _problem(WAITING, STOPPED)
    assert "the archive_command (pid 160)" in _problem(WAITING, PUSH_STOPPED)
    assert _problem(WAITING, RUNS) == ""


def test_a_moment_without_an_archiver_is_no_fault() -> None:
    """Postgres starts it again; the seconds count from when it was last well."""
    health = ArchiverHealth(WAITING, 0.0)
    assert health.step(WAITING, None, 5.0) == []
    assert health.step(WAITING, RUNS, 5.25) == CLEAR
    assert health.step(WAITING, None, 10.25) == []
    assert health.step(WAITING, None, 10.5) != []


def test_archiving_that_moves_ends_the_fault() -> None:
    """Whatever /proc has shown, it was archived; also when nothing waits any more."""
    for seen in (MOVED, NOTHING_WAITS):
        health = ArchiverHealth(WAITING, 0.0)
        assert health.step(WAITING, None, 6.0) != CLEAR
        assert health.step(seen, None, 6.25) == CLEAR
    assert health.step(WAITING, None, 11.25) == []


def test_only_a_primary_that_answers_and_archives_has_to_have_one() -> None:
    """A standby has none, and what does not answer is a fault of its own."""
    assert not _problem(SHUT, None)
    standby = replace(WAITING, database=replace(WAITING.database, role="standby"))
    unobserved = replace(WAITING, database=replace(WAITING.database, observed=False))
    assert not _problem(standby, None)
    assert not _problem(unobserved, None)
