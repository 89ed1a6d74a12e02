"""S27: the state file and the termination message."""

import time
from collections.abc import Callable
from signal import SIGHUP, SIGTERM

import pytest

from dev.harness import Walsup
from tests.pid1.programs import OBEDIENT, Pid1, launch, wait_phase

Container = Callable[..., Walsup]
Bare = Callable[..., Pid1]

KEYS = [
    "phase",
    "detail",
    "postgres_pid",
    "postgres_exit_code",
    "postgres_clean",
    "reloads",
    "agent_pid",
    "agent_restarts",
    "log_dropped_lines",
    "log_stalls",
    "log_pid",
    "log_restarts",
]


@pytest.mark.rule("probes-do-not-kill")
def test_state_file_has_its_keys(container: Container) -> None:
    """While it runs, while it stops and after its end."""
    walsup = container(OBEDIENT.replace("while", 'touch "$PGDATA/obeys"; while')).start()
    wait_phase(walsup, "running")
    assert list(walsup.state()) == [*KEYS, "updated_at"]
    # In its first milliseconds it would still die of an INT, with 130.
    walsup.wait_for((walsup.pgdata / "obeys").exists, "it obeys")
    assert walsup.stop() == 0
    ended = walsup.state()
    assert list(ended) == [*KEYS, "stop_deadline_monotonic_s", "exit_code", "updated_at"]
    assert ended["phase"] == "ended"
    assert ended["exit_code"] == "0"
    assert ended["postgres_exit_code"] == "0"
    assert ended["postgres_clean"] == "1"


def wait_changed(one: Pid1, before_ns: int) -> None:
    """Return when the state file is another than the one of that moment."""
    file = one.walsup.run_dir / "state"
    one.see(lambda: file.stat().st_mtime_ns != before_ns, "a touch")


@pytest.mark.rule("probes-do-not-kill")
def test_state_file_is_touched(bare: Bare) -> None:
    """Twice, though nothing at all happens that could wake PID 1."""
    asleep = "exec sleep 1000"
    one = bare(launch("agent", asleep), launch("postgres", asleep)).start()
    one.see_phase("running")
    one.pid_of("agent")
    for _ in range(2):
        # In this order: a touch in between is then one that has been read, not one to come.
        said = one.state()
        before = (one.walsup.run_dir / "state").stat().st_mtime_ns
        wait_changed(one, before)
        now = one.state()
        assert int(now.pop("updated_at")) > int(said.pop("updated_at"))
        assert now == said


@pytest.mark.rule("probes-do-not-kill")
def test_state_file_is_never_half(container: Container) -> None:
    """Each look finds a whole one, however fast it changes."""
    walsup = container().start()
    wait_phase(walsup, "running")
    until = time.monotonic() + 3
    reloads = set()
    while time.monotonic() < until:
        walsup.signal(SIGHUP)
        text = (walsup.run_dir / "state").read_text()
        assert text.startswith("phase=running\n")
        assert text.splitlines()[-1].startswith("updated_at=")
        reloads.add(walsup.state()["reloads"])
    assert len(reloads) > 10


@pytest.mark.rule("probes-do-not-kill")
def test_detail_stays_on_its_line(bare: Bare) -> None:
    """What prepare says may have lines; a forged key does not get in."""
    one = bare({"detail": "one\nexit_code=0\rtwo"}, {"hold": 1}).start()
    one.see(lambda: one.state().get("detail"), "the detail")
    assert one.state()["detail"] == "one exit_code=0 two"
    assert "exit_code" not in one.state()
    one.signal(SIGTERM)
    assert one.wait() == 0


def test_termination_message_fits(bare: Bare) -> None:
    """Kubernetes takes 4096 bytes, and the cut leaves no half character."""
    one = bare({"refused": "x" + "ü" * 4000, "code": 71}, {"end": 71}).start()
    assert one.wait() == 71
    content = one.walsup.layout.termination_log.read_bytes()
    assert len(content) <= 4096
    assert content.decode() == "x" + "ü" * 2047


def test_termination_message_tells_a_refusal(container: Container) -> None:
    """Problem and hint."""
    walsup = container()
    (walsup.pgdata / "PG_VERSION").write_text("nonsense\n")
    assert walsup.start().wait() == 65
    message = walsup.layout.termination_log.read_text()
    assert "PG_VERSION says" in message
    assert "HINT: " in message


def test_termination_message_tells_of_an_unasked_end(container: Container) -> None:
    """A postgres that ended by itself is named, with its code."""
    walsup = container("#!/bin/sh\nexit 3\n").start()
    assert walsup.wait() == 3
    message = walsup.layout.termination_log.read_text()
    assert message == "postgres ended by itself with exit code 3\n"


def test_a_prepare_that_dies_gives_its_meaning(bare: Bare) -> None:
    """A prepare that ends without a word is a bug of ours: code 75."""
    one = bare({"end": 0}).start()
    assert one.wait() == 75


def test_verdict_is_not_proven_without_an_agent(bare: Bare) -> None:
    """With an archive and no verdict in time, the last word does not claim anything."""
    agent = launch("agent", "exec sleep 1000") | {"verdict": True}
    one = bare(agent, launch("postgres", "trap 'exit 0' INT; while :; do sleep 0.05; done"))
    one.walsup.environment["WALSUP_STOP_GRACE"] = "5s"
    one.start().see_phase("running")
    one.pid_of("agent")
    one.signal(SIGTERM)
    assert one.wait() == 0
    assert "in the bucket: not proven" in one.walsup.layout.termination_log.read_text()


def test_verdict_is_passed_on(bare: Bare) -> None:
    """What the agent says at the end is in state file and termination message."""
    # URG tells of any change of the state. Said before the sweep it would only be early.
    script = """say() { echo '{"verdict": "all there: yes"}' >/proc/self/fd/$WALSUP_WIRE; }
trap say URG
while :; do sleep 0.05; done"""
    agent = launch("agent", script) | {"verdict": True}
    one = bare(agent, launch("postgres", "trap 'exit 0' INT; while :; do sleep 0.05; done"))
    one.start().see_phase("running")
    one.pid_of("agent")
    one.signal(SIGTERM)
    assert one.wait() == 0
    assert one.state()["detail"] == "all there: yes"
    assert one.walsup.layout.termination_log.read_text() == "all there: yes\n"
