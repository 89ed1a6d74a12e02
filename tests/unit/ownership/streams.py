"""Streaming from the primaries to the standbys: what flows, and what is acknowledged."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from tests.unit.ownership.member import Member
from tests.unit.ownership.rules import TICK_S, Rules


class Streams:
    """The connections between the members; of a pair in `cut` the first does not reach the second.

    `write`: lets a primary write for a tick.
    """

    def __init__(
        self, members: Sequence[Member], rules: Rules, write: Callable[[Member], None]
    ) -> None:
        self._members = members
        self._rules = rules
        self._write = write

    def flow(self, now_s: float, cut: AbstractSet[tuple[int, int]]) -> None:
        """The primaries write; what flows, is acknowledged, and moves the deadline."""
        for primary in self._members:
            if not primary.writes or primary.frozen:
                continue
            self._write(primary)
            acknowledged = {
                standby.name: standby.disk.lsn
                for standby in self._members
                if _takes(standby, primary, cut) and (standby.number, primary.number) not in cut
            }
            if not primary.agent_stands:
                self._heard(primary, acknowledged, now_s)

    def _heard(self, primary: Member, acknowledged: dict[str, int], now_s: float) -> None:
        fence, lsn = primary.fence, primary.disk.lsn
        fence.wrote(now_s - TICK_S, lsn)
        primary.heard = frozenset(acknowledged)
        if not self._rules.echo:
            acknowledged = dict.fromkeys(acknowledged, lsn)
        if not self._rules.all_heirs and acknowledged:
            acknowledged = dict.fromkeys(fence.heirs, lsn)
        fence.acknowledged(acknowledged)
        if fence.renewed_s > 0:
            primary.until_s = fence.until_s


def _takes(standby: Member, primary: Member, cut: AbstractSet[tuple[int, int]]) -> bool:
    """Let what is there of the stream flow; gives whether the standby can answer."""
    d = standby.disk
    if standby is primary or not d.standby or d.unsure or not standby.running:
        return False
    if standby.frozen or not _follows(standby, primary):
        return False
    if primary.by_hand and primary.lease is None:
        return False
    if (primary.number, standby.number) not in cut:
        theirs = primary.disk
        d.timeline, d.left, d.lsn = theirs.timeline, theirs.left, theirs.lsn
        d.wal = theirs.wal.copy()
        d.wal.done.update(d.wal.segments)
    return True


def _follows(standby: Member, primary: Member) -> bool:
    mine, theirs = standby.disk, primary.disk
    if mine.timeline == theirs.timeline:
        return mine.lsn <= theirs.lsn
    left = next((s for s in theirs.left if s.timeline == mine.timeline), None)
    return left is not None and mine.lsn <= left.switch_lsn
