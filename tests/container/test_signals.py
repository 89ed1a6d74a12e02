"""`docker stop` and `docker kill -s` of each signal, and what is left by `docker exec`."""

from collections.abc import Callable

import pytest

from dev.containers import Box, docker

Make = Callable[..., Box]

_FAST, _IMMEDIATE = ("TERM", "INT"), "QUIT"
# 9 and 19 cannot be caught by anyone; 32 and 33 are the C library's own.
_HARMLESS = (
    *("USR1", "USR2", "WINCH", "CHLD", "CONT", "TSTP", "TTIN", "TTOU", "ALRM", "PIPE", "VTALRM"),
    *("PROF", "URG", "IO", "PWR", "XCPU", "XFSZ", "TRAP", "SYS", "STKFLT", "ABRT", "RTMIN"),
    *("RTMAX", "RTMIN+5"),
)


def test_docker_stop_is_a_fast_shutdown(box: Make) -> None:
    """Sessions are ended, nothing has to be recovered at the next start."""
    one = box().volume().run()
    one.wait_accepts()
    assert docker("inspect", "--format", "{{.Config.StopSignal}}", one.name) == "SIGINT"
    docker("exec", "--detach", one.name, "psql", "-U", "postgres", "-c", "select pg_sleep(600)")
    asleep = "select count(*) from pg_stat_activity where query = 'select pg_sleep(600)'"
    one.wait_for(lambda: one.psql(asleep) == "1", "a session that does not end by itself")
    assert one.stop() == 0
    assert "received fast shutdown request" in one.log()
    assert "database system is shut down" in one.log()
    one.start()
    one.wait_accepts()
    assert "database system was not properly shut down" not in one.log()


@pytest.mark.parametrize("signal", _FAST)
def test_term_and_int_stop_fast(box: Make, signal: str) -> None:
    """Exit code 0, a clean shutdown."""
    one = box().run()
    one.wait_accepts()
    one.kill(signal)
    assert one.wait() == 0
    assert "received fast shutdown request" in one.log()


def test_quit_stops_at_once(box: Make) -> None:
    """Immediate: 131, and the next start recovers."""
    one = box().volume().run()
    one.wait_accepts()
    one.kill(_IMMEDIATE)
    assert one.wait() == 131
    assert "received immediate shutdown request" in one.log()
    one.start()
    one.wait_accepts()


def test_hup_reloads_and_no_other_signal_does_anything(box: Make) -> None:
    """PID 1 and postgres are the same ones after all of them."""
    one = box().run()
    one.wait_accepts()
    pid, before = one.pid, one.state()
    loaded = one.psql("select pg_conf_load_time()")
    one.kill("HUP")
    one.wait_for(lambda: one.psql("select pg_conf_load_time()") != loaded, "postgres has reloaded")
    for signal in _HARMLESS:
        one.kill(signal)
    # The next one is delivered after them, so that when it has been answered they have been too.
    loaded = one.psql("select pg_conf_load_time()")
    one.kill("HUP")
    one.wait_for(lambda: one.psql("select pg_conf_load_time()") != loaded, "it has reloaded again")
    assert one.pid == pid
    assert one.state()["postgres_pid"] == before["postgres_pid"]
    assert one.state()["agent_restarts"] == "0"
    assert one.stop() == 0


def test_orphans_of_docker_exec_are_reaped(box: Make) -> None:
    """Whose parent has gone becomes PID 1's, and none of them stays a zombie."""
    one = box().run()
    one.wait_accepts()
    for _ in range(5):
        one.exec("sh", "-c", "(sleep 0.3 & sleep 0.2 &) >/dev/null 2>&1")
    orphans = ("sh", "-c", "cat /proc/[0-9]*/stat | grep -c '(sleep)' || true")
    one.wait_for(lambda: one.exec(*orphans) == "0", "no sleep is left, not even as a zombie")
    assert one.accepts()
    assert one.stop() == 0
