"""Objects in the archive that are not on the owner's line of timelines. Pure."""

import heapq

from walsup.archive.catalog.scope import Counted, Scope
from walsup.archive.listing_check.findings import Branch

_MOST = 64
_MOST_TIMELINES = 16
# A push of the former owner may still have run when the timeline began.
_GRACE_S = 60.0


class Branches:
    """Collects the branches. One from before the owner's timeline is abandoned, and is no fault."""

    def __init__(self, scope: Scope) -> None:
        self.begun_at = 0.0
        self.newest_at = 0.0
        self._scope = scope
        self._seen: dict[int, list[tuple[float, str]]] = {}
        self._counts: dict[int, int] = {}
        self._backups: dict[int, str] = {}

    def add(self, timeline: int, name: str, changed_at: float) -> None:
        """Take an object of a timeline that is not on the line, or that comes after its switch."""
        self.newest_at = max(self.newest_at, changed_at)
        if timeline not in self._seen and len(self._seen) >= _MOST_TIMELINES:
            timeline = max(self._seen)
        kept = self._seen.setdefault(timeline, [])
        self._counts[timeline] = self._counts.get(timeline, 0) + 1
        # Only the newest are kept: if none of these is too late, no older one is.
        if len(kept) < _MOST:
            heapq.heappush(kept, (changed_at, name))
        else:
            heapq.heappushpop(kept, (changed_at, name))

    def add_backup(self, backup: Counted) -> None:
        """Take a base backup, which may turn out to be on the line."""
        scope = self._scope
        other_cluster = backup.system_id not in (0, scope.system_id)
        if other_cluster or not (
            backup.timeline == 0 or scope.line.has(backup.timeline, backup.finish_lsn)
        ):
            self.add(backup.timeline, backup.name, backup.uploaded_at)
            if backup.uploaded_at > self.until:
                self._backups.setdefault(backup.timeline, backup.name)

    @property
    def until(self) -> float:
        """Return until when an object of another timeline belongs to a known branch."""
        begun = self.begun_at + _GRACE_S if self.begun_at else 0.0
        return max(self._scope.branches_until, begun)

    def found(self) -> tuple[Branch, ...]:
        """Return the branches that have grown since then."""
        branches = []
        for timeline, kept in sorted(self._seen.items()):
            late = sorted(one for one in kept if one[0] > self.until)
            if late:
                since, first = late[0]
                branches.append(
                    Branch(
                        timeline,
                        first,
                        since,
                        self._counts[timeline],
                        self._backups.get(timeline, ""),
                    )
                )
        return tuple(branches)
