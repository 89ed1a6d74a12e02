"""PID 1 reaps what nobody waits for."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from dev.harness import Walsup
from tests.pid1.programs import Pid1, wait_phase

Container = Callable[..., Walsup]

ORPHANS = "for i in $(seq 100); do (sleep 0.$((i % 7 + 1)) &) ; done\n"
STAYS = f"#!/bin/bash\ntrap 'exit 0' INT\n{ORPHANS}while :; do sleep 0.05; done\n"


def strangers(walsup: Walsup) -> list[str]:
    """States of processes that are neither PID 1 nor its children of today."""
    names = ("postgres", "agent", "log")
    known = {1, *(int(walsup.state().get(f"{name}_pid") or 0) for name in names)}
    return [
        member.state
        for member in walsup.members()
        if member.inner_pid not in known and member.argv != ["sleep", "0.05"]
    ]


def test_a_hundred_orphans_leave_no_zombie(container: Container) -> None:
    """All have ended, and no trace of them is left."""
    walsup = container(STAYS).start()
    wait_phase(walsup, "running")
    walsup.wait_for(lambda: len(strangers(walsup)) > 20, "orphans")
    walsup.wait_for(lambda: strangers(walsup) == [], "no orphan, and no zombie of one")
    assert walsup.stop() == 0


def test_ends_at_the_same_moment_are_all_seen(container: Container) -> None:
    """One CHLD may stand for a hundred ends."""
    staying = "for i in $(seq 100); do (sleep 1000 &) ; done\n"
    walsup = container(STAYS.replace(ORPHANS, staying)).start()
    wait_phase(walsup, "running")
    walsup.wait_for(lambda: len(strangers(walsup)) == 100, "a hundred orphans")
    walsup.signal(signal.SIGSTOP)
    for member in walsup.members():
        if member.argv == ["sleep", "1000"]:
            os.kill(member.outer_pid, signal.SIGKILL)
    walsup.signal(signal.SIGCONT)
    walsup.wait_for(lambda: strangers(walsup) == [], "no zombie")
    assert walsup.stop() == 0


def test_exit_code_is_right_among_dying_orphans(container: Container) -> None:
    """The orphans' codes are not taken for postgres's, though they end all the while."""
    ending = ORPHANS.replace("sleep", "exec sleep")
    walsup = container(f"#!/bin/bash\n{ending}sleep 0.3\nexit 7\n")
    assert walsup.start().wait() == 7


def test_signals_work_among_dying_orphans(container: Container) -> None:
    """A TERM in the midst of a hundred ends is heeded."""
    walsup = container(STAYS).start()
    wait_phase(walsup, "running")
    walsup.wait_for(lambda: len(strangers(walsup)) > 20, "orphans")
    assert walsup.stop() == 0


def test_grandchildren_are_left(container: Container) -> None:
    """A postgres that leaves running processes ends the container with its own code."""
    walsup = container("#!/bin/sh\nsleep 1000 &\nsleep 1000 &\nexit 9\n")
    assert walsup.start().wait() == 9


def test_a_subreaper_gives_the_exit_code(
    directly: Callable[..., Pid1], container: Container
) -> None:
    """Not as PID 1 the exit code is postgres's as well."""
    one = directly(container(f"#!/bin/bash\n{ORPHANS}exit 5\n")).start()
    assert one.init_pid != 1
    assert one.wait() == 5


def test_a_subreaper_leaves_no_zombie(directly: Callable[..., Pid1], container: Container) -> None:
    """Orphans become its children and are reaped."""
    one = directly(container(STAYS)).start()
    one.see_phase("running")
    file = Path(f"/proc/{one.init_pid}/task/{one.init_pid}/children")

    def children() -> int:
        return len(file.read_text().split())

    one.see(lambda: children() > 20, "adopted orphans")
    one.see(lambda: children() == 3, "only postgres, the agent and the log's are left")
    one.signal(15)
    assert one.wait() == 0
