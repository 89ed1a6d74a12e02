"""Rules 3, 4 and S28: what a child is given, and what is kept from it."""

import functools
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import Machine, Walsup
from tests.pid1.programs import OBEDIENT, Pid1, descriptors, launch, settled, status, wait_phase

Container = Callable[..., Walsup]
Bare = Callable[..., Pid1]

IGNORED = ["env", "--ignore-signal=HUP", "--ignore-signal=USR1", "--ignore-signal=CHLD"]
PLAIN = "exec sleep 1000"
# An agent that asks for an engine, and then sleeps.
ASKS = """echo '{"daemon": "engine", "generation": 1, "argv": ["/bin/sleep", "1000"],
 "environment": {}}' | tr -d '\\n' >/proc/self/fd/$WALSUP_WIRE
echo >/proc/self/fd/$WALSUP_WIRE
exec sleep 1000"""


def sleeps(pid: int) -> bool:
    """Whether the process has become the program `sleep`."""
    return status(pid)["Name"] == "sleep"


@pytest.fixture
def family(bare: Bare) -> Pid1:
    """PID 1, started with ignored signals and a descriptor too many, and its three children."""
    one = bare(launch("agent", ASKS), launch("postgres", PLAIN), words=IGNORED)
    extra = os.open("/", os.O_RDONLY)
    one.start(pass_fds=(extra,))
    os.close(extra)
    for child in ("postgres", "agent", "engine"):
        pid = one.pid_of(child)
        one.see(functools.partial(sleeps, pid), f"{child} is its program")
    return one


# 32 and 33 belong to the C library, which lets no program change them; some shells ignore them.
LIBC_SIGNALS = 1 << 31 | 1 << 32


@pytest.mark.parametrize("child", ["postgres", "agent", "engine"])
def test_children_have_ordinary_signals(family: Pid1, child: str) -> None:
    """Nothing blocked, nothing ignored, whatever PID 1 was started with."""
    found = status(family.pid_of(child))
    assert int(found["SigBlk"], 16) == 0
    assert int(found["SigIgn"], 16) & ~LIBC_SIGNALS == 0


@pytest.mark.rule("directory-lock")
def test_postgres_alone_holds_the_lock(family: Pid1) -> None:
    """postgres inherits the lock's descriptor and no other; agent and engine do not."""
    pgdata = str(family.walsup.pgdata)
    held = descriptors(family.pid_of("postgres"))
    assert [path for number, path in held.items() if number > 2] == [pgdata]
    agent = descriptors(family.pid_of("agent"))
    assert [path[:5] for number, path in agent.items() if number > 2] == ["pipe:"]
    engine = descriptors(family.pid_of("engine"))
    assert [path for number, path in engine.items() if number > 2] == []


def test_children_have_sessions_of_their_own(family: Pid1) -> None:
    """A terminal's Ctrl-C must reach PID 1 alone."""
    sessions = {os.getsid(family.pid_of(child)) for child in ("postgres", "agent", "engine")}
    assert len(sessions) == 3
    assert os.getsid(family.init_pid) not in sessions


def test_exit_code_survives_an_ignored_chld(bare: Bare) -> None:
    """With CHLD ignored the kernel reaps by itself; PID 1 must not have it so."""
    one = bare(launch("postgres", "exit 7"), words=IGNORED).start()
    assert one.wait() == 7


def test_agent_and_engine_die_with_pid_1(
    directly: Callable[..., Pid1], container: Container
) -> None:
    """Killed without a word, a subreaper leaves no agent behind; postgres holds the lock (S1)."""
    one = directly(container(OBEDIENT)).start()
    agent, postgres = one.pid_of("agent"), one.pid_of("postgres")
    try:
        one.process.kill()
        one.see(lambda: not Path(f"/proc/{agent}").exists(), "the agent's end")
        assert Path(f"/proc/{postgres}").exists()
    finally:
        os.kill(postgres, 9)


@pytest.mark.rule("stop-during-start")
def test_prepare_dies_with_pid_1(container: Container, directly: Callable[..., Pid1]) -> None:
    """A prepare that outlives PID 1 would write beside the next one."""
    env = {
        "WALSUP_ARCHIVE": "s3://bucket/prefix",
        "AWS_ENDPOINT": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    one = directly(container(None, cluster=None, env=env)).start()
    one.see(lambda: "waiting" in one.state().get("detail", ""), "that it waits")
    children = Path(f"/proc/{one.init_pid}/task/{one.init_pid}/children").read_text().split()
    assert children
    one.process.kill()
    one.see(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), "the end of prepare"
    )


@pytest.mark.rule("secrets")
def test_secrets_reach_no_child(walsup: Callable[..., Walsup], machine: Machine) -> None:
    """No environment, command line, log or state file has the bucket's secret.

    PID 1's environment does, and is closed to the database's user.
    """
    one = walsup().start()
    one.wait_accepts()
    one.wait_for(lambda: one.state().get("engine_pid"), "the engine runs", timeout_s=60)
    assert one.s3 is not None
    secret = one.s3.secret_key.encode()
    password = one.environment["POSTGRES_PASSWORD"].encode()
    assert secret in Path(f"/proc/{one.init_pid}/environ").read_bytes()
    looked = 0
    for member in settled(one.members):
        words = Path(f"/proc/{member.outer_pid}/cmdline").read_bytes()
        if member.outer_pid != one.init_pid:
            words += Path(f"/proc/{member.outer_pid}/environ").read_bytes()
        assert secret not in words, member
        assert password not in words, member
        looked += 1
    assert looked > 4
    shown = one.log().encode() + (one.run_dir / "state").read_bytes()
    assert secret not in shown
    assert password not in shown
    user = machine.db_user or None
    tried = subprocess.run(
        ["cat", f"/proc/{one.init_pid}/environ"],
        user=user,
        group=user,  # with another group the kernel refuses anyway
        extra_groups=None if user is None else [],
        check=False,
        capture_output=True,
    )
    assert tried.returncode != 0
    assert tried.stdout == b""


@pytest.mark.rule("directory-lock")
def test_lock_with_real_parts(container: Container) -> None:
    """Only PID 1, postgres and its backends hold the data directory open."""
    one = container(None).start()
    one.wait_accepts()
    wait_phase(one, "running")
    one.wait_for(lambda: one.state()["agent_pid"], "the agent's pid")
    others = {one.pid_of("agent"), one.pid_of("log")}
    for member in settled(one.members):
        held = str(one.pgdata) in descriptors(member.outer_pid).values()
        assert held == (member.outer_pid not in others), member
