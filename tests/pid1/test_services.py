"""Agent and engine are restarted, and nothing they do reaches postgres."""

import contextlib
import fcntl
import functools
import json
import os
import signal
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import Walsup
from dev.harness.processes.machine import PYTHON
from dev.harness.processes.waiting import wait_until
from tests.pid1.programs import Pid1, launch

Container = Callable[..., Walsup]
Bare = Callable[..., Pid1]

POSTGRES = launch("postgres", "trap 'exit 0' INT; while :; do sleep 0.05; done")
LONELY_UID = 23456
# Takes all the room for processes, until the file that it is given is there.
CROWD = """
import os, signal, sys, time
signal.signal(signal.SIGINT, lambda *_: os._exit(0))
crowd = []
while True:
    time.sleep(0.01)
    if os.path.exists(sys.argv[1]):
        while crowd:
            os.kill(crowd.pop(), signal.SIGKILL)
            os.wait()
        continue
    try:
        pid = os.fork()
    except OSError:
        continue
    if not pid:
        signal.pause()
    crowd.append(pid)
"""
BEATS = """while :; do echo '{"beat": 1}' >/proc/self/fd/$WALSUP_WIRE; sleep 0.1; done"""


def say(message: str) -> str:
    """A line of shell that tells PID 1 something."""
    return f"echo '{message}' >/proc/self/fd/$WALSUP_WIRE\n"


def engine(generation: int, *argv: str) -> str:
    """A line of shell that asks for an engine."""
    words = ", ".join(f'"{word}"' for word in argv)
    head = f'"daemon": "engine", "generation": {generation}'
    return say(f'{{{head}, "argv": [{words}], "environment": {{}}}}')


def running(one: Pid1) -> Pid1:
    """Started, with postgres."""
    one.start().see_phase("running")
    return one


def stops(one: Pid1) -> bool:
    """Whether postgres was there until the end, and the end was clean."""
    assert one.state()["phase"] == "running"
    one.signal(signal.SIGTERM)
    return one.wait() == 0


def wait_restarts(walsup: Walsup, count: str) -> None:
    """Return when the agent has been restarted so often."""
    walsup.wait_for(
        lambda: walsup.state()["agent_restarts"] == count, f"{count} restarts", timeout_s=90
    )


def test_a_killed_agent_comes_back(container: Container) -> None:
    """The real one, twice; postgres is the same as before."""
    walsup = container(None).start()
    walsup.wait_accepts()
    postgres = walsup.state()["postgres_pid"]
    for restarts in ("1", "2"):
        walsup.wait_for(lambda: walsup.state()["agent_pid"], "an agent")
        walsup.kill("agent")
        wait_restarts(walsup, restarts)
        walsup.wait_for(lambda: walsup.state()["agent_pid"], "a new agent")
        walsup.wait_for(lambda: walsup.http("/livez")[0] == 200, "the new agent answers")
    assert walsup.state()["postgres_pid"] == postgres
    assert walsup.stop() == 0


def test_a_silent_agent_is_killed_and_comes_back(bare: Bare) -> None:
    """It hangs, though it is not dead."""
    one = running(bare(launch("agent", BEATS), POSTGRES, silence_s=2.0))
    first = one.pid_of("agent")
    os.kill(first, signal.SIGSTOP)
    one.see(lambda: one.state()["agent_restarts"] == "1", "the restart")
    one.see(lambda: one.pid_of("agent") not in (0, first), "another agent")
    assert one.walsup.events("agent.hung")
    assert stops(one)


def test_an_agent_that_beats_is_left_alone(bare: Bare) -> None:
    """Many silences long."""
    one = running(bare(launch("agent", BEATS), POSTGRES, silence_s=1.0))
    first = one.pid_of("agent")
    written = one.state()["updated_at"]
    one.see(lambda: one.state()["updated_at"] != written, "the next touch of the state file")
    assert one.pid_of("agent") == first
    assert stops(one)


@pytest.mark.soak
def test_a_real_stopped_agent_is_killed_and_comes_back(container: Container) -> None:
    """With the real agent and the real 30 s."""
    walsup = container(None).start()
    walsup.wait_accepts()
    walsup.wait_for(lambda: walsup.state()["agent_pid"], "an agent")
    walsup.kill("agent", signal.SIGSTOP)
    wait_restarts(walsup, "1")
    walsup.wait_for(lambda: walsup.http("/livez")[0] == 200, "the new agent answers")
    assert walsup.stop() == 0


def test_a_log_program_that_stands_still_is_replaced(bare: Bare) -> None:
    """Stopped, it would let the pipes fill up, and then stop whatever writes a line."""
    one = running(bare(launch("agent", "exec sleep 1000"), POSTGRES))
    first = one.pid_of("log")
    os.kill(first, signal.SIGSTOP)
    wait_until(lambda: one.state()["log_restarts"] == "1", "another one", timeout_s=90)
    one.see(lambda: one.pid_of("log") not in (0, first), "it runs")
    assert stops(one)


def test_a_dying_engine_is_restarted_with_backoff(bare: Bare) -> None:
    """At once first, then later and later."""
    one = running(bare(launch("agent", engine(1, "/bin/false") + "exec sleep 1000"), POSTGRES))
    one.see(lambda: int(one.state().get("engine_restarts") or 0) >= 4, "four restarts")
    deaths = one.walsup.events("engine.died")
    assert [death["restart_in_s"] for death in deaths[:4]] == [0, 0.25, 0.5, 1.0]
    assert {death["exit_code"] for death in deaths} == {1}
    assert stops(one)


@pytest.mark.rule("listing-is-proof")
def test_a_new_generation_is_a_new_engine(bare: Bare, tmp_path: Path) -> None:
    """The daemon is started anew when a higher generation is asked for, and ends with 0."""
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents[:-2]:  # below /tmp; a worker of the tests has one more
        folder.chmod(0o755)
    script = engine(1, "/bin/sleep", "1001")
    script += f"until [ -e {tmp_path}/second ]; do sleep 0.05; done\n"
    script += engine(2, "/bin/sleep", "1002")
    script += f"until [ -e {tmp_path}/none ]; do sleep 0.05; done\n"
    script += say('{"daemon": "engine", "generation": 0}') + "exec sleep 1000"
    one = running(bare(launch("agent", script), POSTGRES))
    first = one.pid_of("engine")
    (tmp_path / "second").touch()
    one.see(lambda: one.state()["engine_generation"] == "2", "the second generation")
    second = one.pid_of("engine")
    assert second != first
    assert not Path(f"/proc/{first}").exists()
    (tmp_path / "none").touch()
    one.see(lambda: not one.state()["engine_pid"], "no engine")
    assert not Path(f"/proc/{second}").exists()
    assert one.state()["engine_restarts"] == "0"
    assert stops(one)


@pytest.mark.parametrize(
    "nonsense",
    [
        say("no json"),
        say("[1, 2]"),
        say('{"daemon": "engine", "generation": "x"}'),
        say('{"daemon": "engine", "generation": 1}'),
        say('{"daemon": "engine", "generation": 1, "argv": [], "environment": {}}'),
        engine(1, "/nowhere"),
        engine(1, "/dev/null"),
        "head -c 3000000 /dev/zero >/proc/self/fd/$WALSUP_WIRE\n",
        "while :; do echo '{}'; done >/proc/self/fd/$WALSUP_WIRE\n",
    ],
    ids=["text", "list", "number", "no-argv", "empty", "missing", "no-program", "endless", "flood"],
)
def test_nonsense_of_the_agent_reaches_nobody(bare: Bare, nonsense: str) -> None:
    """PID 1 logs it and goes on: a HUP is still counted, a TERM still stops."""
    agent = launch("agent", nonsense + say('{"beat": 1}') + "exec sleep 1000")
    one = running(bare(agent, POSTGRES))
    one.pid_of("agent")
    one.signal(signal.SIGHUP)
    one.see(lambda: one.state()["reloads"] == "1", "the reload")
    assert stops(one)


def test_no_room_for_processes_does_not_stop_postgres(bare: Bare, as_root: None) -> None:
    """With the limit reached the agent cannot come back; with room again it does."""
    del as_root  # the limit counts per user: it takes one that nobody else is
    ids = [f"--reuid={LONELY_UID}", f"--regid={LONELY_UID}", "--clear-groups"]
    words = ["setpriv", *ids, "prlimit", "--nproc=30:30"]
    one = bare(launch("agent", "sleep 0.1; exit 1"), words=words)
    orders = json.loads((one.walsup.layout.base / "orders.json").read_text())
    free = one.walsup.pgdata / "free"
    postgres = {"launch": "postgres", "argv": [str(PYTHON), "-IS", "-c", CROWD, str(free)]}
    orders.append(postgres | {"environment": {}})
    (one.walsup.layout.base / "orders.json").write_text(json.dumps(orders))
    for path in (one.walsup.pgdata, one.walsup.run_dir, one.walsup.layout.volume):
        subprocess.run(["chown", "-R", f"{LONELY_UID}:{LONELY_UID}", path], check=True)
    running(one)

    def refused() -> bool:
        return any("not started" in e.get("problem", "") for e in one.walsup.events("agent.died"))

    one.see(refused, "an agent that finds no room")
    assert one.state()["phase"] == "running"
    started = len(one.walsup.events("agent.started"))
    free.touch()
    one.see(lambda: len(one.walsup.events("agent.started")) > started, "the agent is back")
    assert stops(one)


@pytest.mark.rule("logs")
def test_a_log_that_nobody_reads_does_not_hang_pid_1(bare: Bare) -> None:
    """The pipe is full and postgres waits for it; a stop works all the same."""
    one = bare(launch("postgres", "exec yes >&2"), launch("agent", "exec sleep 1000"))
    one.start(stderr=subprocess.PIPE)
    one.see_phase("running")
    one.see(lambda: full(one), "a full pipe")
    one.signal(signal.SIGHUP)
    one.see(lambda: one.state()["reloads"] == "1", "the reload")
    one.signal(signal.SIGTERM)
    assert one.wait() == 128 + signal.SIGINT


def test_lines_of_pid_1_wait_while_the_log_program_does_not_read(bare: Bare) -> None:
    """Its pipe is full: PID 1 goes on at once, and what it said is in the log afterwards."""
    one = running(bare(launch("agent", "exec sleep 1000"), POSTGRES))
    reader = one.pid_of("log")
    os.kill(reader, signal.SIGSTOP)
    _fill(Path(f"/proc/{one.init_pid}/fd/2"))
    for number in ("1", "2", "3"):
        one.signal(signal.SIGHUP)
        one.see(functools.partial(_has_reloaded, one, number), "the reload")
    os.kill(reader, signal.SIGCONT)
    one.see(lambda: len(one.walsup.events("reload.asked")) == 3, "the lines")
    assert stops(one)


def _fill(pipe: Path) -> None:
    writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4095 + b"\n")
    os.close(writer)


def _has_reloaded(one: Pid1, number: str) -> bool:
    return one.state()["reloads"] == number


def full(one: Pid1) -> bool:
    """Whether the pipe has room for no more than a part of a page."""
    assert one.process.stderr is not None
    held = fcntl.ioctl(one.process.stderr, termios.FIONREAD, bytes(4))
    return int.from_bytes(held, "little") > 60000


@pytest.mark.rule("one-owner", "fencing")
def test_an_engine_ends_with_its_lease_though_nobody_says_so(bare: Bare) -> None:
    """The agent that was to renew it hangs; a renewed one goes on."""
    sleeper = ", ".join(f'"{word}"' for word in ("/bin/sleep", "60"))
    head = f'"daemon": "engine", "generation": 1, "argv": [{sleeper}], "environment": {{}}'
    now = "$(cut -d. -f1 /proc/uptime)"
    script = (
        f"until=$(({now} + 2))\n"
        f"echo '{{{head}, \"lease\": '$until'}}' >/proc/self/fd/$WALSUP_WIRE\n"
        "sleep 0.5\n"
        f"echo '{{\"lease\": '$((until + 2))'}}' >/proc/self/fd/$WALSUP_WIRE\n"
    )
    one = running(bare(launch("agent", script + BEATS), POSTGRES))
    one.see(lambda: one.state().get("engine_pid", "") not in ("", "0"), "the engine runs")
    one.see(lambda: one.walsup.events("engine.lease_over"), "its lease is over")
    one.see(lambda: not int(one.state().get("engine_pid") or 0), "it has ended")
    assert stops(one)
