"""Green needs progress: what hangs, stands still or cannot be started is seen, idle or not."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import segments, status, wait_fault, wait_protected
from dev.harness.scenarios.standbys import EAGER, LEASE, STANDBY, archive_now, conninfo, wait_source
from dev.harness.scenarios.standbys import written as write_rows

Make = Callable[..., Walsup]

# A session whose client was killed ends within a second.
CROWDED = ("-c", "max_connections=12", "-c", "client_connection_check_interval=1s")


def process(one: Walsup, title: str) -> int:
    """The outer pid of one of postgres's own processes."""

    def look() -> int | None:
        titled = (m.outer_pid for m in one.members() if f"postgres: {title}" in " ".join(m.argv))
        return next(titled, None)

    return one.wait_for(look, title)


def wait_ready(one: Walsup, *, ready: bool = True) -> list[str]:
    """Wait until the probe says so; gives its reasons."""
    one.wait_for(lambda: (one.http("/readyz")[0] == 200) is ready, f"ready: {ready}")
    reasons: list[str] = one.http("/readyz")[1]["reasons"]
    return reasons


def wait_well(one: Walsup, subject: str) -> None:
    """Wait until a fault of this subject has gone."""
    one.wait_for(lambda: subject not in status(one)["faults"], f"{subject} is well again")


def test_f_readiness_opens_a_connection_and_old_observations_are_not_green(
    walsup: Make, s3: S3Server
) -> None:
    """A postmaster, a helper process and a bucket that hang, and a full connection table."""
    one = walsup(env=LEASE, args=[*CROWDED]).start()
    wait_protected(one)
    seen = status(one)
    assert 0 <= seen["now"] - seen["at"] < 60
    assert all(seen[part]["at"] for part in ("init", "database", "lag", "disk", "waiting"))
    postmaster = one.pid_of("postgres")
    os.kill(postmaster, SIGSTOP)
    assert "has not answered a new connection" in wait_ready(one, ready=False)[0]
    assert "has not answered" in " ".join(status(one)["reasons"])
    os.kill(postmaster, SIGCONT)
    wait_ready(one)
    wait_protected(one)
    # What works on nothing is a fault; clients are served all the same.
    helper = process(one, "checkpointer")
    os.kill(helper, SIGSTOP)
    assert "checkpointer" in wait_fault(one, "processes")["problem"]
    assert one.http("/readyz")[0] == 200
    os.kill(helper, SIGCONT)
    wait_well(one, "processes")
    # All slots taken is an answer.
    crowd = [one.tools.session(one.address) for _ in range(12)]
    try:
        reasons = one.wait_for(
            lambda: [r for r in one.http("/readyz")[1]["reasons"] if "slots" in r], "it is full"
        )
        assert (one.http("/readyz")[0], len(reasons)) == (200, 1)
    finally:
        for each in crowd:
            each.kill()
            each.wait()
    one.wait_for(lambda: not status(one)["connection"]["full"], "it has room")
    # The archive's part of the status ages while the bucket hangs, and the rest does not.
    s3.pause()
    try:
        one.wait_for(lambda: _age(one, "lag") > 10, "the listing is old", timeout_s=40)
        assert _age(one, "database") < 10
        seen = status(one)
        assert seen["now"] - seen["at"] > 10
    finally:
        s3.resume()
    wait_protected(one)


def _age(one: Walsup, part: str) -> float:
    seen: dict[str, Any] = status(one)
    return float(seen["now"] - seen[part]["at"])


def test_f_a_standby_that_makes_no_progress_does_not_follow(walsup: Make, s3: S3Server) -> None:
    """Its receiver stopped, replay paused, the startup process stopped, a gap in the archive."""
    one = walsup(env=LEASE).start()
    wait_protected(one)
    two = walsup(
        prefix=one.prefix, env=STANDBY | {"WALSUP_PRIMARY_CONNINFO": conninfo(one)}, args=EAGER
    ).start()
    wait_source(two, "streaming")
    wait_protected(two)
    for title, say in (("walreceiver", "receiver"), ("startup", "startup")):
        stopped = process(two, title)
        os.kill(stopped, SIGSTOP)
        assert say in wait_fault(two, "processes")["problem"]
        assert not status(two)["protected"]
        os.kill(stopped, SIGCONT)
        wait_well(two, "processes")
    two.psql("select pg_wal_replay_pause()")
    assert "paused" in wait_fault(two, "replay")["problem"]
    assert not status(two)["protected"]
    two.psql("select pg_wal_replay_resume()")
    wait_well(two, "replay")
    write_rows(one)
    archive_now(one)
    two.wait_for(lambda: status(two)["standby"]["still_s"] < 5, "it moves")
    wait_protected(two)
    # Without its primary it stands before what is not in the archive, though more is.
    assert one.stop() == 0
    wait_source(two, "archive")
    two.wait_for(lambda: status(two)["standby"]["at_end"], "it has read the archive")
    last = segments(s3, one.prefix)[-1]
    key = next(key for key in s3.keys(one.prefix) if last in key)
    name, later = last[:24], f"{last[:16]}{int(last[16:24], 16) + 2:08X}"
    s3.put(key.replace(name, later), s3.get(key))
    assert later in wait_fault(two, "standby", timeout_s=60)["problem"]
    assert not status(two)["protected"]


def test_f_an_engine_that_cannot_be_started_is_a_fault_on_an_idle_database(
    walsup: Make, engine: str
) -> None:
    """Removed, not executable, not of this machine, or refusing what it is told."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "1h"})
    programs = Path(tempfile.mkdtemp(prefix="walsup-", dir="/tmp"))
    programs.chmod(0o755)
    try:
        original = _own_programs(one, programs, engine)
        program = programs / engine
        one.start()
        wait_protected(one)
        program.unlink()
        assert wait_fault(one, "engine")["kind"] == "engine missing"
        assert not status(one)["protected"]
        shutil.copy(original, program)
        wait_well(one, "engine")
        program.chmod(0o644)
        assert "executable" in wait_fault(one, "engine")["problem"]
        program.chmod(0o755)
        wait_well(one, "engine")
        head = bytearray(original.read_bytes()[:4096])
        head[18:20] = b"\x16\x00"  # e_machine: S/390
        program.unlink()
        program.write_bytes(head)
        program.chmod(0o755)
        assert "cannot be started" in wait_fault(one, "engine")["problem"]
        program.unlink()
        program.write_text(
            f'#!/bin/sh\ncase "$*" in *daemon*) exit 3 ;; esac\nexec {original} "$@"\n'
        )
        program.chmod(0o755)
        wait_well(one, "engine")
        one.kill("engine")
        assert "daemon" in wait_fault(one, "engine")["problem"]
        program.unlink()
        shutil.copy(original, program)
        wait_well(one, "engine")
        wait_protected(one)
    finally:
        shutil.rmtree(programs)


def _own_programs(one: Walsup, programs: Path, engine: str) -> Path:
    """Let it have the engine's programs in a directory of its own; gives the original engine."""
    theirs, _, rest = one.environment["PATH"].partition(":")
    for path in Path(theirs).iterdir():
        shutil.copy(path, programs / path.name)
    one.environment["PATH"] = f"{programs}:{rest}"
    return (Path(theirs) / engine).resolve()
