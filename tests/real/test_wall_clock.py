"""S2: a clock that jumps changes no lease."""

import os
import subprocess
import time

import pytest

from dev.harness.faults.skew import Skew
from dev.harness.processes.machine import PYTHON, ROOT
from walsup.archive.ownership.lease import now_s

_ASKED = (
    "import time; from walsup.archive.ownership.lease import now_s; print(time.time(), now_s())"
)
# What reckons with leases: who holds, who waits, who ends the daemon, who refuses a push.
_RECKON = (
    *("archive/ownership/lease", "archive/ownership/claim", "archive/ownership/takeover"),
    *("archive/ownership/admission", "archive/owner_record", "archive/engine/archive_command"),
    *("agent/archiving/lease_holder", "agent/loops/gate", "agent/archiving/archiving_start"),
    "init/children/service",
)


@pytest.mark.rule("one-owner")
def test_leases_do_not_follow_the_time_of_day() -> None:
    """An hour off, forwards or backwards: the clock of leases is the same as ours."""
    for seconds in (3600, -3600):
        with Skew(seconds) as skew:
            before_s = now_s()
            done = subprocess.run(
                [str(PYTHON), "-c", _ASKED],
                env={**os.environ, **skew.environment, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=True,
            )
        shown_s, lease_s = map(float, done.stdout.split())
        assert before_s <= lease_s <= now_s()
        assert abs(shown_s - seconds - time.time()) < 1800


@pytest.mark.rule("one-owner")
def test_nothing_that_reckons_with_leases_reads_the_time_of_day() -> None:
    """Neither time.time() nor a date."""
    for name in _RECKON:
        text = (ROOT / "walsup" / f"{name}.py").read_text(encoding="utf-8")
        assert "time.time(" not in text, name
        assert "datetime" not in text, name
