"""What PID 1 is told while a restore goes on: a reader, and what an end would mean."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from dev.harness import Walsup
from dev.harness.checks.witness import verdict
from tests.pid1.programs import Pid1, launch

Container = Callable[..., Walsup]
Bare = Callable[..., Pid1]

SLEEPER = {"argv": ["/bin/sleep", "60"], "environment": {}}
OBEDIENT = "trap 'exit 0' INT; while :; do sleep 0.05; done"


def say(message: str) -> str:
    """A line of shell that tells PID 1 something."""
    return f"echo '{message}' >/proc/self/fd/$WALSUP_WIRE\n"


def test_a_reader_outlives_every_lease_and_comes_back(bare: Bare) -> None:
    """It only reads; prepare has it started."""
    over = say('{"lease": 1}')
    one = bare(
        {"daemon": "reader", "generation": 1, **SLEEPER},
        launch("agent", f"{over}exec sleep 60"),
        launch("postgres", OBEDIENT),
    ).start()
    one.see_phase("running")
    reader = one.pid_of("reader")
    time.sleep(1.5)
    assert one.pid_of("reader") == reader
    os.kill(reader, signal.SIGKILL)
    one.see(lambda: one.state().get("reader_restarts") == "1", "its death")
    one.see(lambda: one.pid_of("reader") not in (0, reader), "another reader")
    one.signal(signal.SIGTERM)
    assert one.wait() == 0


@pytest.mark.parametrize(("own", "code"), [(1, 74), (0, 0)])
@pytest.mark.parametrize("taken_back", [False, True])
@pytest.mark.rule("gap-is-not-the-end")
def test_what_was_said_of_an_end_counts_when_it_comes(
    bare: Bare,
    own: int,
    code: int,
    taken_back: bool,  # noqa: FBT001
) -> None:
    """Only of an end with an error, and only until it is taken back."""
    doom = say('{"doom": "a segment is missing", "code": 74}')
    back = say('{"doom": "", "code": 0}') if taken_back else ""
    one = bare(
        launch("agent", f"{doom}{back}exec sleep 60"),
        launch("postgres", f"sleep 2; exit {own}"),
    ).start()
    assert one.wait() == (own if taken_back else code)
    told = "a segment is missing" in verdict(one.walsup)
    assert told is (code == 74 and not taken_back)
