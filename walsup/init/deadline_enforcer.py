"""The deadline of a primary that cannot renew its lease, enforced without the agent.

The agent only moves it forward, in a file of the run directory. The file holds the time until which
postgres may take writes, by the clock of leases, and the length of a lease. No file, or 0: there is
no deadline.
"""

# ruff: noqa: PTH118, PTH123 -- pathlib would cost PID 1 a megabyte

import os
import signal
import time

FILE = "fence"
LOOK_EVERY_S = 0.1
# By then a renewal is overdue: it is due once a lease, and the deadline is 2.4 after the last one.
NEAR_LEASES = 1.4
QUIT_LEASES = 0.6
KILL_LEASES = 1.0
REASON = (
    "the lease on the archive could not be renewed, and no standby has acknowledged WAL for"
    " the length of a lease: another instance may have been promoted, so this database"
    " accepts no more writes\nHINT: check the network between this instance, the bucket and"
    " the standbys; after a restart the database is read-only until the archive answers"
)


class DeadlineEnforcer:
    """The file, and for how long the deadline has passed."""

    __slots__ = ("_path", "reached")

    def __init__(self, run_dir: str) -> None:
        self._path = os.path.join(run_dir, FILE)
        self.reached = False

    def read(self) -> "tuple[float, float]":
        """Return the deadline and the lease in seconds; (inf, 0) when there is none."""
        try:
            with open(self._path, encoding="ascii") as file:
                until, lease = file.read().split()
            until_s, lease_s = float(until), float(lease)
        except (OSError, ValueError):
            return float("inf"), 0.0
        return (until_s, lease_s) if until_s > 0 else (float("inf"), 0.0)

    def is_near(self) -> bool:
        """Return whether postgres will be ended unless the agent moves the deadline soon."""
        until_s, lease_s = self.read()
        return until_s - time.clock_gettime(time.CLOCK_BOOTTIME) < NEAR_LEASES * lease_s

    def due(self) -> int:
        """Return the signal that postgres has to get by now; 0: none.

        A fast shutdown at the deadline. When the machine stood still past it, SIGQUIT or SIGKILL at
        once, because another instance may take writes by then.
        """
        until_s, lease_s = self.read()
        over_s = time.clock_gettime(time.CLOCK_BOOTTIME) - until_s
        if over_s < 0 and not self.reached:
            return 0
        if over_s >= KILL_LEASES * lease_s or (not self.reached and over_s > QUIT_LEASES * lease_s):
            return signal.SIGKILL
        return signal.SIGQUIT if over_s >= QUIT_LEASES * lease_s else signal.SIGINT
