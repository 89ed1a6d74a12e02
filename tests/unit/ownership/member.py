"""One instance: its disk, its PID 1, its agent as a coroutine, and `walsup promote` in it.

What decides is walsup's own: the decision on claims, the lease, the rank of a directory, the claim
of a promotion, the fence. What is modelled is when they are asked, and what becomes of the answers.
"""

from collections.abc import Callable

from tests.unit.ownership import primary, promotion, start
from tests.unit.ownership.instance import Instance
from tests.unit.ownership.rules import LEASE_S
from walsup.archive.ownership.lease import Lease
from walsup.archive.ownership.write_deadline import WriteDeadline


class Member(Instance):
    """One of them; the scheduler lets it run, stand still and die."""

    def start(self, *, alone: bool) -> None:
        """Start its container."""
        self.reset()
        self.starts += 1
        self.running = True
        self.alone = alone
        self.fence = WriteDeadline(LEASE_S, alone=alone)
        self.agent = start.life(self)

    def stop(self) -> None:
        """Let its agent do what it does when postgres has been shut down."""
        self.agent = primary.stop(self)

    def promote(self, *, sure: Callable[[], bool]) -> None:
        """Run `walsup promote`; `sure`: a person has seen that no other takes writes."""
        self.promoting = promotion.promote(self, sure=sure)

    def begin(self, timeline: int, lease: Lease | None) -> None:
        """Let postgres end its recovery here."""
        promotion.begin(self, timeline, lease)
