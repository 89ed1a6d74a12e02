"""What tests of progress look for: processes by their titles, readiness, faults that have gone."""

from dev.harness.checks.witness import status
from dev.harness.processes.walsup import Walsup

_READY = 200


def process(one: Walsup, title: str) -> int:
    """The outer pid of one of postgres's own processes."""

    def look() -> int | None:
        titled = (m.outer_pid for m in one.members() if f"postgres: {title}" in " ".join(m.argv))
        return next(titled, None)

    return one.wait_for(look, title)


def wait_ready(one: Walsup, *, ready: bool = True) -> list[str]:
    """Wait until the probe says so; gives its reasons."""
    one.wait_for(lambda: (one.http("/readyz")[0] == _READY) is ready, f"ready: {ready}")
    reasons: list[str] = one.http("/readyz")[1]["reasons"]
    return reasons


def wait_well(one: Walsup, subject: str) -> None:
    """Wait until a fault of this subject has gone."""
    one.wait_for(lambda: subject not in status(one)["faults"], f"{subject} is well again")
