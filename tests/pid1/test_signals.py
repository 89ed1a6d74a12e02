"""Rule 5 and the stop ladder: what PID 1 makes of each signal."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from signal import SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGSTOP, SIGTERM

import pytest

from dev.harness import FaultProxy, Walsup, free_ports
from tests.pid1.programs import OBEDIENT, RECORDER, noted, wait_heeded, wait_phase

Container = Callable[..., Walsup]

STOPS = (SIGTERM, SIGINT, SIGQUIT)
HARMLESS = sorted(signal.valid_signals() - {*STOPS, SIGHUP, SIGKILL, SIGSTOP})
DEAF = "#!/bin/sh\ntrap '' INT QUIT\nwhile :; do sleep 0.05; done\n"
DEAF_TO_INT = "#!/bin/sh\ntrap '' INT\nwhile :; do sleep 0.05; done\n"


@pytest.fixture(params=["refuse", "hang"])
def waiting(request: pytest.FixtureRequest, container: Container) -> Iterator[Walsup]:
    """A walsup that prepares: an empty data directory, and an archive out of reach (S11)."""
    with FaultProxy(free_ports(1)[0]) as proxy:
        getattr(proxy, request.param)()
        env = {
            "WALSUP_ARCHIVE": "s3://bucket/prefix",
            "AWS_ENDPOINT": proxy.endpoint,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "WALSUP_STOP_GRACE": "5s",
        }
        walsup = container(None, cluster=None, env=env).start()
        wait_phase(walsup, "preparing")
        if request.param == "refuse":
            walsup.wait_for(
                lambda: "waiting for the archive" in walsup.state()["detail"], "that it waits"
            )
        else:
            walsup.wait_for(lambda: proxy.connections, "a connection that gets no answer")
        yield walsup
        walsup.kill_tree()


def recorded(container: Container, **chosen: str) -> Walsup:
    """A walsup whose postgres notes its signals, ready to."""
    walsup: Walsup = container(RECORDER, **chosen).start()
    walsup.wait_for(lambda: noted(walsup) == [0], "the recorder is ready")
    return walsup


def test_harmless_signals_reach_nobody(container: Container) -> None:
    """All but TERM, INT, QUIT and HUP stop neither PID 1 nor postgres, real-time ones too."""
    walsup = recorded(container)
    for number in HARMLESS:
        walsup.signal(number)
    wait_heeded(walsup)
    assert walsup.is_running
    assert noted(walsup) == [0]


def test_hup_reaches_postgres(container: Container) -> None:
    """A reload is passed on, and counted for the agent."""
    walsup = recorded(container)
    walsup.signal(SIGHUP)
    walsup.wait_for(lambda: noted(walsup) == [0, SIGHUP], "HUP reaches postgres")
    walsup.wait_for(lambda: walsup.state()["reloads"] == "1", "the reload is counted")


def test_hup_does_not_kill_what_does_not_catch_it(container: Container) -> None:
    """In its first moments a real postgres would die of it, and has read no file yet."""
    walsup = container().start()
    wait_phase(walsup, "running")
    walsup.signal(SIGHUP)
    walsup.wait_for(lambda: walsup.state()["reloads"] == "1", "the reload is counted")
    assert walsup.stop() == 0


@pytest.mark.parametrize("number", [SIGTERM, SIGINT])
@pytest.mark.rule("stop-ladder")
def test_asks_for_a_fast_shutdown_once(container: Container, number: int) -> None:
    """TERM and INT become INT; a second TERM changes nothing."""
    walsup = recorded(container, cluster="crashed")
    walsup.signal(number)
    walsup.wait_for(lambda: noted(walsup) == [0, SIGINT], "INT reaches postgres")
    for again in (SIGTERM, SIGINT):
        walsup.signal(again)
        wait_heeded(walsup)
    walsup.signal(SIGQUIT)  # the stronger request counts
    walsup.wait_for(lambda: noted(walsup) == [0, SIGINT, SIGQUIT], "QUIT reaches postgres")


@pytest.mark.parametrize("script", [None, OBEDIENT], ids=["postgres", "script"])
@pytest.mark.rule("stop-ladder")
def test_quit_is_131(container: Container, script: str | None) -> None:
    """An immediate shutdown needs recovery, and the exit code says so."""
    walsup = container(script)
    walsup.start()
    wait_phase(walsup, "running")
    walsup.signal(SIGQUIT)
    assert walsup.wait() == 131


@pytest.mark.rule("stop-ladder")
def test_climbs_the_ladder(container: Container) -> None:
    """Who ignores INT gets QUIT, who ignores QUIT gets KILL."""
    walsup = container(DEAF, cluster="crashed", env={"WALSUP_STOP_GRACE": "5s"}).start()
    wait_phase(walsup, "running")
    assert walsup.stop() == 137
    sent = [event["signal"] for event in walsup.events("postgres.signalled")]
    assert sent == ["SIGINT", "SIGQUIT", "SIGKILL"]


@pytest.mark.rule("stop-ladder")
def test_quit_by_the_ladder_is_131(container: Container) -> None:
    """Ended by QUIT before pg_control said "shut down"."""
    walsup = container(DEAF_TO_INT, cluster="crashed", env={"WALSUP_STOP_GRACE": "5s"}).start()
    wait_phase(walsup, "running")
    assert walsup.stop() == 131


@pytest.mark.rule("stop-ladder")
def test_quit_after_shut_down_is_clean(container: Container) -> None:
    """Once pg_control says "shut down", QUIT harms nothing and counts as clean."""
    walsup = container(DEAF_TO_INT).start()
    wait_phase(walsup, "running")
    assert walsup.stop() == 0
    assert [event["clean"] for event in walsup.events("postgres.signalled")] == [False, True]


@pytest.mark.parametrize("number", STOPS)
@pytest.mark.rule("stop-during-start")
def test_ends_cleanly_while_it_prepares(waiting: Walsup, number: int) -> None:
    """Before postgres exists a stop is 0, within the grace."""
    waiting.signal(number)
    assert waiting.wait() == 0


@pytest.mark.rule("empty-means-listed")
def test_signals_do_not_end_the_waiting(waiting: Walsup) -> None:
    """While it prepares, HUP and the harmless ones change nothing."""
    for number in (SIGHUP, *HARMLESS):
        waiting.signal(number)
    wait_heeded(waiting)
    waiting.wait_for(lambda: waiting.state()["reloads"] == "1", "the reload is counted")
    assert waiting.is_running
    assert waiting.state()["phase"] == "preparing"


@pytest.mark.rule("stop-during-start")
def test_kills_a_deaf_prepare(container: Container) -> None:
    """A prepare that hangs in its first instruction is killed within the grace (S29)."""
    walsup = container(None, cluster=None, env={"WALSUP_STOP_GRACE": "5s"}).start()
    wait_phase(walsup, "preparing")
    for member in walsup.members():
        if member.outer_pid != walsup.init_pid and member.argv[-1:] == ["run"]:
            os.kill(member.outer_pid, SIGSTOP)
    assert walsup.stop() == 0


@pytest.mark.parametrize("delay_ms", [0, 1, 2, 5, 10, 20, 50, 100, 200])
@pytest.mark.parametrize("script", [None, OBEDIENT], ids=["postgres", "script"])
@pytest.mark.rule("directory-lock")
def test_an_early_term_is_not_lost(container: Container, script: str | None, delay_ms: int) -> None:
    """From the first instruction on; and a postgres just begun is not killed by its INT."""
    walsup = container(script)
    for _ in range(3):
        walsup.start()
        time.sleep(delay_ms / 1000)
        assert walsup.stop() == 0
        if script is None:
            found = walsup.tools.control(walsup.pgdata)["Database cluster state"]
            assert found == "shut down"
