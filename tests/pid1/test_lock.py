"""S1: one writer on a data directory."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest

from dev.harness import Walsup, free_ports
from dev.harness.processes.machine import PYTHON
from tests.pid1.programs import Pid1, wait_phase

Container = Callable[..., Walsup]
Directly = Callable[..., Pid1]

LEAVES_ONE = "#!/bin/sh\nsleep 1000 &\necho $! >$PGDATA/left\nexit 3\n"


def beside(container: Container, first: Walsup) -> Walsup:
    """Another walsup on the same data directory, with a run directory of its own."""
    second = container(cluster=None)
    second.pgdata = first.pgdata
    second.environment["PGDATA"] = str(first.pgdata)
    return second


@pytest.mark.rule("directory-lock")
def test_a_second_walsup_refuses(container: Container, directly: Directly) -> None:
    """Two PID namespaces, one volume: the second waits, then refuses; the first goes on.

    Where it can see the holders it names them.
    """
    first = container(None).start()
    first.wait_accepts()
    postgres = first.pid_of("postgres")
    second = beside(container, first).start()
    third = directly(beside(container, first)).start()
    third.see(
        lambda: "waiting for another process" in third.state().get("detail", ""), "that it waits"
    )
    assert second.wait() == 67
    assert third.wait() == 67
    [refusal] = second.events("start.refused")
    assert str(first.pgdata) in refusal["problem"]
    assert "unknown (another container or node)" in refusal["problem"]
    [refusal] = third.walsup.events("start.refused")
    assert f"{postgres} (postgres)" in refusal["problem"]
    assert second.layout.termination_log.read_text().startswith("the data directory")
    assert first.accepts()
    assert first.stop() == 0


@pytest.mark.rule("directory-lock")
def test_a_backend_that_outlives_postgres_holds_the_lock(
    container: Container, directly: Directly
) -> None:
    """Its copy of the descriptor keeps the next start waiting; its end lets it in."""
    walsup = container(LEAVES_ONE)
    assert directly(walsup).start().wait() == 3
    left = int((walsup.pgdata / "left").read_text())
    second = beside(container, walsup)
    try:
        second.start()
        second.wait_for(
            lambda: "waiting for another process" in second.state().get("detail", ""),
            "that it waits",
        )
        assert second.state()["phase"] == "claiming"
    finally:
        os.kill(left, signal.SIGKILL)
    wait_phase(second, "running")
    assert second.stop() == 0


@pytest.mark.rule("directory-lock")
def test_a_term_ends_the_waiting(container: Container) -> None:
    """Nothing has been touched, so it is a clean stop."""
    first = container().start()
    wait_phase(first, "running")
    second = beside(container, first).start()
    second.wait_for(lambda: "waiting" in second.state().get("detail", ""), "that it waits")
    assert second.stop() == 0
    assert first.is_running


@pytest.fixture
def stranger() -> Iterator[int]:
    """A living process that is no postgres."""
    process = subprocess.Popen(["sleep", "1000"])
    yield process.pid
    process.kill()
    process.wait()


def accepted(one: Pid1, first_line: str) -> bool:
    """Whether walsup starts with this postmaster.pid, and removes it."""
    file = one.walsup.pgdata / "postmaster.pid"
    file.write_text(f"{first_line}\n{one.walsup.pgdata}\n")
    one.start()
    one.see_phase("running")
    [removed] = one.walsup.events("postmaster_pid.removed")
    assert not file.exists()
    one.signal(signal.SIGTERM)
    return one.wait() == 0 and removed["pid"] == first_line.strip()


@pytest.mark.parametrize("line", ["1", "4194000", "-4194000", "", "nonsense", "0"])
@pytest.mark.rule("directory-lock")
def test_a_pid_of_nobody_is_stale(directly: Directly, line: str) -> None:
    """Our own pid of an earlier life, a dead one, none at all."""
    assert accepted(directly(), line)


@pytest.mark.rule("directory-lock")
def test_a_pid_of_a_stranger_is_stale(directly: Directly, stranger: int) -> None:
    """The number has been given to another program since."""
    assert accepted(directly(), str(stranger))


@pytest.mark.rule("directory-lock")
def test_a_pid_of_a_thread_is_stale(directly: Directly) -> None:
    """/proc answers for the number of a thread, too."""
    done, told = threading.Event(), threading.Event()

    def live() -> None:
        told.set()
        done.wait()

    thread = threading.Thread(target=live)
    thread.start()
    told.wait()
    try:
        assert accepted(directly(), str(thread.native_id))
    finally:
        done.set()
        thread.join()


@pytest.mark.rule("directory-lock")
def test_a_postgres_of_another_directory_is_stale(container: Container, directly: Directly) -> None:
    """It runs, and serves something else."""
    other = container(None).start()
    other.wait_accepts()
    assert accepted(directly(), str(other.pid_of("postgres")))
    assert other.accepts()


@pytest.mark.rule("directory-lock")
def test_a_living_postgres_is_not_disturbed(container: Container, directly: Directly) -> None:
    """It was started without walsup and holds no lock; its postmaster.pid is believed."""
    walsup = container(None)
    address = walsup.tools.start(walsup.pgdata, port=free_ports(1)[0])
    try:
        assert directly(walsup).start().wait() == 67
        assert "postmaster.pid names process" in walsup.events("start.refused")[0]["problem"]
        assert walsup.tools.psql(address, "select 1") == "1"
    finally:
        walsup.tools.stop(walsup.pgdata)


@pytest.mark.rule("directory-lock")
def test_a_single_user_server_is_not_disturbed(container: Container, directly: Directly) -> None:
    """postgres --single writes its pid with a minus."""
    walsup = container(None)
    argv = [str(walsup.tools.bindir / "postgres"), "--single", "-D", str(walsup.pgdata), "postgres"]
    user = walsup.machine.db_user or None
    groups: list[int] | None = None if user is None else []
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        user=user,
        group=user,
        extra_groups=groups,
    ) as single:
        one = directly(walsup)
        one.see((walsup.pgdata / "postmaster.pid").exists, "the single-user server's pid file")
        one.see(
            lambda: (walsup.pgdata / "postmaster.pid").read_text().startswith("-"), "its number"
        )
        assert one.start().wait() == 67
        single.kill()


@pytest.mark.rule("directory-lock")
def test_a_name_alone_is_no_postgres(container: Container, directly: Directly) -> None:
    """A program of another name in the same directory is a stranger as well."""
    one = directly(container())
    argv = [str(PYTHON), "-IS", "-c", "import time; time.sleep(1000)"]
    with subprocess.Popen(argv, cwd=one.walsup.pgdata) as process:
        try:
            assert accepted(one, str(process.pid))
        finally:
            process.kill()
