"""The exec readiness probe of deploy/*.yaml: what PID 1 and postgres say, not the agent."""

import os
import subprocess
from collections.abc import Callable
from signal import SIGCONT, SIGSTOP, SIGTERM

from dev.harness import Walsup
from dev.harness.processes.machine import ROOT

Make = Callable[..., Walsup]


def _probe(one: Walsup) -> subprocess.CompletedProcess[str]:
    """What kubelet runs, in the container's own environment."""
    return subprocess.run(
        [str(ROOT / "docker" / "walsup-ready")],
        env=one.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


def _wait(one: Walsup, code: int, words: str) -> None:
    def look() -> bool:
        shown = _probe(one)
        return shown.returncode == code and words in shown.stdout

    one.wait_for(look, f"the probe exits {code}: {words}")


def test_readiness_does_not_depend_on_the_agent(walsup: Make) -> None:
    """It follows postgres and PID 1 alone, and sees a postmaster that hangs."""
    one = walsup(s3=None)
    assert _probe(one).returncode == 1
    one.start()
    _wait(one, 0, "accepts connections")

    one.kill("agent", SIGSTOP)
    assert one.http("/readyz", timeout_s=1)[0] == 0
    assert _probe(one).returncode == 0
    one.kill("agent", SIGCONT)
    one.kill("agent")
    assert _probe(one).returncode == 0

    one.kill("postgres", SIGSTOP)
    shown = _probe(one)
    assert shown.returncode == 1
    assert "does not answer" in shown.stdout
    one.kill("postgres", SIGCONT)
    _wait(one, 0, "accepts connections")

    checkpointer = next(m for m in one.members() if "checkpointer" in " ".join(m.argv))
    os.kill(checkpointer.outer_pid, SIGSTOP)
    one.signal(SIGTERM)
    _wait(one, 1, "walsup is stopping")
    os.kill(checkpointer.outer_pid, SIGCONT)
    assert one.wait() == 0
    assert _probe(one).returncode == 1


def test_a_standby_that_should_be_a_primary_is_not_ready(walsup: Make) -> None:
    """As /readyz has it; when it is promoted, it is."""
    one = walsup(s3=None).start()
    one.wait_accepts()
    assert one.stop() == 0
    signal_file = one.pgdata / "standby.signal"
    signal_file.touch()
    one.machine.give_to_database(signal_file)
    one.start()
    one.wait_accepts()
    _wait(one, 1, "should be a primary")
    one.wait_for(lambda: one.http("/readyz")[0] == 503, "HTTP says the same")
    prepared = one.run_dir / "probe"
    before = prepared.read_text()
    prepared.write_text(before.replace("role=primary", "role=auto"))
    assert _probe(one).returncode == 0, "what may be a standby is ready as one"
    prepared.write_text(before)
    one.psql("select pg_promote()")
    _wait(one, 0, "accepts connections")
