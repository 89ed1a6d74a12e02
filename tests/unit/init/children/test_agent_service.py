"""A silent agent while its renewal is needed: killed again and again, but not while it starts."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from walsup.init.children.agent_service import AgentService
from walsup.pid1_messages import Launch

SAYS = "echo '{\"beat\": 1}' > /proc/self/fd/$WALSUP_WIRE; exec sleep 600"


@pytest.fixture
def agent() -> Iterator[AgentService]:
    """One that says something once, or nothing at all when it is given `sleep`."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # what wakes PID 1 ends others
    made = AgentService(30.0)
    yield made
    if made.pid:
        made.kill()
        os.waitpid(made.pid, 0)
    signal.signal(signal.SIGIO, before)


def _begin(agent: AgentService, script: str) -> float:
    agent.want(Launch(["/bin/sh", "-c", script], {"PATH": os.environ["PATH"]}, "/"), 1)
    agent.begin()
    return time.monotonic()


def _lives(agent: AgentService) -> bool:
    """Whether it has got no signal yet."""
    return os.waitid(os.P_PID, agent.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _is_killed(agent: AgentService) -> bool:
    pid, status = os.waitpid(agent.pid, 0)
    agent.ended(-1)
    return bool(pid) and os.WTERMSIG(status) == signal.SIGKILL


def test_an_agent_that_has_beaten_is_killed_after_some_silence(agent: AgentService) -> None:
    """Long before it would count as hung."""
    _begin(agent, SAYS)
    while not agent.messages():
        time.sleep(0.01)
    heard_s = time.monotonic()
    agent.kill_late(heard_s + 2.0)
    agent.kill_late(heard_s + 3.0)
    assert _lives(agent)  # it may have stood still together with PID 1
    agent.kill_late(heard_s + 5.0)
    assert _is_killed(agent)


def test_an_agent_that_starts_has_longer_and_then_is_killed_too(agent: AgentService) -> None:
    """One that hangs in its start would be waited for until the deadline."""
    begun_s = _begin(agent, "exec sleep 600")
    for after_s in (3.0, 6.0, 9.0, 10.5):
        agent.kill_late(begun_s + after_s)
    assert _lives(agent)
    agent.kill_late(begun_s + 12.5)
    assert _is_killed(agent)


def test_each_agent_that_is_silent_is_killed(agent: AgentService) -> None:
    """Also the one that was started in its place."""
    for _ in range(2):
        begun_s = _begin(agent, "exec sleep 600")
        agent.kill_late(begun_s + 11.0)
        agent.kill_late(begun_s + 13.0)
        assert _is_killed(agent)


def test_a_word_takes_the_silence_back(agent: AgentService) -> None:
    """The next silence is counted from its own beginning."""
    begun_s = _begin(agent, SAYS)
    agent.kill_late(begun_s + 11.0)
    while not agent.messages():
        time.sleep(0.01)
    heard_s = time.monotonic()
    agent.kill_late(heard_s + 1.0)
    agent.kill_late(heard_s + 3.0)
    assert _lives(agent)
