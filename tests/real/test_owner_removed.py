"""An owner object that was removed under its holder: nobody else claims before that one is out."""

import os
from collections.abc import Callable
from signal import SIGSTOP

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import segments, status, wait_fault, wait_protected
from dev.harness.scenarios.fleet import Node

Make = Callable[..., Walsup]

# Else the first would archive something at once, and the copy lack it (S5).
_QUIET = {"WALSUP_LEASE": "2s", "WALSUP_ARCHIVE_TIMEOUT": "1h"}


@pytest.mark.rule("archive-names")
def test_a_claim_waits_until_the_holder_of_a_removed_object_is_out(
    walsup: Make, s3: S3Server
) -> None:
    """Its agent hangs: only the end of its lease ends its daemon, and the copy waits for longer."""
    one = walsup(env=_QUIET).start()
    wait_protected(one)
    assert one.stop() == 0
    copy = Node(walsup(env=_QUIET, prefix=one.prefix), "copy")
    copy.replace(one.pgdata)
    copy.forget()
    one.start()
    wait_protected(one)
    before = segments(s3, one.prefix)
    agent = one.pid_of("agent")
    os.kill(agent, SIGSTOP)
    s3.delete(f"{one.prefix}/walsup/owner.json")
    copy.start()
    other = copy.walsup
    assert "has been deleted" in wait_fault(other, "gate")["problem"]
    other.wait_for(lambda: status(other).get("gate", {}).get("state") == "open", "it is let in")
    assert not one.state().get("engine_pid")
    assert set(before) <= set(segments(s3, one.prefix))
    # PID 1 has replaced the silent agent meanwhile: what the next one sees is told.
    one.wait_for(
        lambda: "not the owner" in status(one).get("gate", {}).get("reason", ""), "it is told whose"
    )
    wait_protected(other)
