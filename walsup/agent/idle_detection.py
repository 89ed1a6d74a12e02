"""Detects whether the WAL after the last verified segment belongs to a transaction. Pure."""

from typing import NamedTuple

from walsup.postgres.wal import Segment

# Days of snapshots for standbys and checkpoints; a longer part is not of an idle database.
_READ_BYTES = 1 << 16


class Xids(NamedTuple):
    """The next xid that the server would assign, and the oldest one in progress (else the same)."""

    next: int
    oldest: int


class IdleDetector:
    """Decides by xids, and by the WAL itself where xids are not enough.

    A database is idle when nothing that carries an xid can lie after the mark, the last segment
    that is verified without a gap. `-` means that it makes no difference:

    | segments wait, or | position is | WAL was read, and  | no xid in progress | idle |
    | timeline was left | in the mark | has no transaction | at the switch, and |      |
    |                   |             | up to the position | none assigned since|      |
    |-------------------|-------------|--------------------|--------------------|------|
    | yes               | -           | -                  | -                  | no   |
    | no                | yes         | -                  | -                  | yes  |
    | no                | no          | yes                | -                  | yes  |
    | no                | no          | no                 | yes                | yes  |
    | no                | no          | no                 | no, or not known   | no   |

    An xid that was in progress at the switch to the current segment may have written and committed
    since, without a new xid: then only the WAL, or the next switch, shows it.
    """

    def __init__(self) -> None:
        self._latest: Xids | None = None
        # Not known at first, so the current segment counts as used until a switch is seen.
        self._at_switch: Xids | None = None
        self._at_our_switch: Xids | None = None
        self._quiet_lsn = self._busy_lsn = 0

    def sample(self, xids: Xids, *, switched: bool) -> None:
        """Record a sample; `switched`: its position is in a later segment than the last."""
        if switched:
            # From before the switch: better to count one xid too many as unarchived.
            before = (self._latest, self._at_our_switch)
            self._at_switch = max((found for found in before if found is not None), default=None)
            self._at_our_switch = None
        self._latest = xids

    def switched(self, xids: Xids) -> None:
        """Record the xids that were read in the statement of a switch by the agent, before it.

        They count when a sample shows the new segment: until then the old one is the current.
        """
        self._at_our_switch = xids

    def looked(self, lsn: int, *, quiet: bool) -> None:
        """Record what the WAL shows from the current segment's start up to this position."""
        if quiet:
            self._quiet_lsn = max(self._quiet_lsn, lsn)
        else:
            self._busy_lsn = max(self._busy_lsn, lsn)

    def is_idle(self, mark: Segment, current: Segment, lsn: int) -> bool:
        """Return whether the database is idle at this position in the current segment."""
        if mark.timeline != current.timeline or mark.number < current.number - 1:
            return False
        before, latest = self._at_switch, self._latest
        unchanged = (
            before is not None
            and latest is not None
            and before.next == before.oldest == latest.next
        )
        return lsn <= max(mark.end_lsn, self._quiet_lsn) or unchanged

    def wants_wal(self, current: Segment, lsn: int) -> bool:
        """Return whether the WAL of the current segment, up to this position, could tell more.

        Only of a database that is not idle by its xids.
        """
        known = self._busy_lsn > current.start_lsn or self._quiet_lsn >= lsn
        return not known and lsn - current.start_lsn <= _READ_BYTES
