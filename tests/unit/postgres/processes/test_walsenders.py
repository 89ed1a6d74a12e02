"""Which walsenders keep a shutdown waiting, by the titles of the postmaster's children."""

import os
import signal
import subprocess
import sys
import time

import pytest

from walsup.postgres.processes.walsenders import Child, children, end, resume, waited_for

SLOW = Child(3, "postgres: walsender repl 10.0.0.1(4) streaming 0/3000148")
FAST = Child(4, "postgres: main: walsender repl [local] streaming 1/0")
BACKUP = Child(5, "postgres: walsender repl [local] sending backup ...")
LEFT = [
    Child(1, "postgres: checkpointer"),
    Child(2, "postgres: main: archiver last was 000000010000000000000001"),
    Child(6, "postgres: io worker 0"),
    Child(7, "postgres: stats collector"),
]


def test_walsenders_alone_are_waited_for() -> None:
    """In the order of what they have sent."""
    assert waited_for([FAST, *LEFT, SLOW, BACKUP]) == [BACKUP, SLOW, FAST]
    assert waited_for(LEFT) == []


@pytest.mark.parametrize(
    "title",
    ["postgres: app db [local] idle", "postgres: walwriter", "postgres: startup", "postgres", ""],
)
def test_others_are_waited_for_first(title: str) -> None:
    """A backend, a worker or a process without its title yet: the checkpoint is not due."""
    assert waited_for([*LEFT, SLOW, Child(8, title)]) == []


def test_only_what_it_was_is_ended() -> None:
    """A number that another process has meanwhile is left alone."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        try:
            end(Child(other.pid, SLOW.title))
            assert other.poll() is None
            other.send_signal(signal.SIGSTOP)
            while not (child := _child(other.pid)).stopped:
                time.sleep(0.01)
            end(child)
            assert other.poll() is None
            resume(child)
            assert other.wait() == -15
        finally:
            other.kill()  # a stopped one would be waited for without an end


def _child(pid: int) -> Child:
    return next(child for child in children(os.getpid()) if child.pid == pid)
