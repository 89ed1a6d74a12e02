"""The deadline as PID 1 reads it: which signal is due."""

import signal
import time
from pathlib import Path

import pytest

from walsup.archive.ownership import write_deadline as agents
from walsup.init import deadline_enforcer
from walsup.init.deadline_enforcer import DeadlineEnforcer

L = 1000.0


def _over(run_dir: Path, leases: float) -> DeadlineEnforcer:
    """A deadline that is over by so many leases."""
    until_s = time.clock_gettime(time.CLOCK_BOOTTIME) - leases * L
    (run_dir / deadline_enforcer.FILE).write_text(f"{until_s + 1e6:.3f} {L:.3f}\n")
    made = DeadlineEnforcer(str(run_dir))
    assert made.due() == 0
    (run_dir / deadline_enforcer.FILE).write_text(f"{until_s:.3f} {L:.3f}\n")
    return made


def test_both_sides_mean_the_same_file() -> None:
    """PID 1 imports nothing of the agent's."""
    assert agents.FILE == deadline_enforcer.FILE


@pytest.mark.parametrize("text", ["", "0 0", "00000000000000.000 0000000000001.000\n", "x y", "1"])
def test_no_deadline_ends_nothing(tmp_path: Path, text: str) -> None:
    """Neither a missing file, nor nonsense, nor one that says that there is none."""
    assert DeadlineEnforcer(str(tmp_path)).due() == 0
    (tmp_path / deadline_enforcer.FILE).write_text(text)
    assert DeadlineEnforcer(str(tmp_path)).due() == 0


def test_postgres_is_stopped_at_the_deadline_and_killed_a_lease_later(tmp_path: Path) -> None:
    """Fast, then immediate, then by KILL."""
    made = _over(tmp_path, 0.1)
    assert made.due() == signal.SIGINT
    made.reached = True
    for leases, number in ((0.5, signal.SIGINT), (0.7, signal.SIGQUIT), (1.1, signal.SIGKILL)):
        until_s = time.clock_gettime(time.CLOCK_BOOTTIME) - leases * L
        (tmp_path / deadline_enforcer.FILE).write_text(f"{until_s:.3f} {L:.3f}\n")
        assert made.due() == number


def test_after_a_machine_stood_still_there_is_no_time_for_a_fast_shutdown(tmp_path: Path) -> None:
    """Another may take writes by then."""
    assert _over(tmp_path, 0.7).due() == signal.SIGKILL


def test_once_reached_a_later_deadline_takes_nothing_back(tmp_path: Path) -> None:
    """Only a start that holds the archive takes writes again."""
    made = _over(tmp_path, 0.1)
    made.reached = True
    until_s = time.clock_gettime(time.CLOCK_BOOTTIME) + L
    (tmp_path / deadline_enforcer.FILE).write_text(f"{until_s:.3f} {L:.3f}\n")
    assert made.due() == signal.SIGINT


@pytest.mark.parametrize(("left", "near"), [(2.4, False), (1.5, False), (1.3, True), (0.1, True)])
def test_the_deadline_is_near_when_a_renewal_is_overdue(
    tmp_path: Path,
    left: float,
    near: bool,  # noqa: FBT001 (a case)
) -> None:
    """A silent agent is started again then, not when the deadline has come."""
    until_s = time.clock_gettime(time.CLOCK_BOOTTIME) + left * L
    (tmp_path / deadline_enforcer.FILE).write_text(f"{until_s:.3f} {L:.3f}\n")
    assert DeadlineEnforcer(str(tmp_path)).is_near() is near


def test_no_deadline_is_never_near(tmp_path: Path) -> None:
    """A hung agent has its 30 s then."""
    assert not DeadlineEnforcer(str(tmp_path)).is_near()
    agents.reserve(tmp_path, L)
    assert not DeadlineEnforcer(str(tmp_path)).is_near()
