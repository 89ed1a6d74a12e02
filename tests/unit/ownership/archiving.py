"""The same members, and the WAL that they write and archive: whose is in the archive, and whole."""

from collections.abc import Set as AbstractSet
from pathlib import Path

from tests.unit.ownership.disk import Disk
from tests.unit.ownership.instance import Instance
from tests.unit.ownership.member import Member
from tests.unit.ownership.rules import Rules
from tests.unit.ownership.sim import BrokenError, Sim
from tests.unit.ownership.wal import SIZE, Comparison, Writer, key
from walsup.archive.ownership.lease import Lease
from walsup.archive.paths import WAL_FOLDER
from walsup.postgres.wal import Segment

_FAR = 100  # timelines
_A_TICK = 4  # so many segments are uploaded at most


class Archiving(Sim):
    """All WAL that an owner has archived, is the next one's too, or a person has given it up."""

    def __init__(self, base: Path, rules: Rules, members: int, *, alone: bool) -> None:
        super().__init__(0, rules, members, alone=alone)
        self.scripted = True
        self.comparison = Comparison(base)
        self._writer = Writer()
        self._given_up: set[str] = set()
        self._backups_from = 0
        for member in self.members:
            member.comparison = self.comparison
            member.granted = self._granted

    def close(self) -> None:
        """End all."""
        super().close()
        self.comparison.close()

    def tick(self) -> None:
        """Let a twelfth of a lease pass; the engines of those that hold the archive upload."""
        super().tick()
        for member in self.members:
            if (
                member.archives
                and not member.frozen
                and ("request", member.number) not in self.down
            ):
                self._upload(member)

    def settle(self) -> None:
        """From now on things happen."""
        self.calm = True

    def make_copy(self, member: Member, disk: Disk) -> None:
        """Let a member be another copy of the cluster, with a name of its own."""
        if not member.frozen:
            member.end()
            member.rebuilt += 1
            member.disk = disk.copy()
            member.disk.instance = f"i{member.number}.{member.rebuilt}"
            member.disk.standby, member.disk.unsure = True, False
            self.start(member)

    def put_back(self, member: Member, disk: Disk) -> None:
        """Let a member go on from an earlier state of its volume."""
        member.end()
        member.disk = disk.copy()
        self.start(member)

    def besiege_with(self, primary: Member, parts: AbstractSet[str]) -> None:
        """Take away requests, answers, the stream to and from the standbys, the agent."""
        here = primary.number
        self.down |= {(way, here) for way in ("request", "answer") if way in parts}
        for other in self.members:
            if other is not primary:
                self.cut |= {(here, other.number)} if "to" in parts else set()
                self.cut |= {(other.number, here)} if "from" in parts else set()
        primary.agent_stands = primary.agent_stands or "agent" in parts

    def promote(self, member: Member) -> None:
        """Run `walsup promote` there, if postgres is consistent."""
        if member.disk.is_consistent and self._continues(member):
            super().promote(member)

    def _continues(self, member: Member) -> bool:
        """Return whether what is archived of its timelines is its own WAL.

        Only the timeline that is written is compared: a standby that has followed a diverged
        primary, and is promoted, is not found out. A person must not do that.
        """
        wal = member.disk.wal.segments
        names = (name.removeprefix(f"{WAL_FOLDER}/") for name in self.store.names(WAL_FOLDER))
        return all(self._is_its_own(member, name) for name in names if name in wal)

    def promote_by_hand(self, member: Member) -> None:
        """Let postgres end its recovery there, under a number that nobody else ever takes.

        PostgreSQL takes the next one that it knows nothing of, which is another's at times; the
        archive can tell only when one of them is in it. No standby follows before it archives.
        """
        d = member.disk
        if not member.running or member.frozen or not d.standby or d.unsure:
            return
        if not d.is_consistent or not self._continues(member):
            return
        member.by_hand = self.tolerated = True
        member.begin(max(d.timeline, *self.begun, *self.store.lines) + _FAR, None)

    def _write(self, primary: Member) -> None:
        d = primary.disk
        self._writer.write(d.wal, d.line, d.lsn, d.lsn + SIZE // 4)
        d.lsn += SIZE // 4

    def _upload(self, member: Member) -> None:
        """Upload what follows the proven; under a name that is there, nothing but the same."""
        assert member.lease is not None
        d, owner, objects = member.disk, member.lease.owner, self.store.objects
        left = _A_TICK
        for start_lsn in range(owner.lsn, d.lsn - d.lsn % SIZE, SIZE):
            segment = d.line.at(start_lsn)
            content = d.wal.segments.get(segment.name)
            if content is None or (
                segment.timeline > 1 and segment.timeline not in self.store.lines
            ):
                return
            if objects.setdefault(key(segment.name), content) != content:
                return
            d.wal.done.add(segment.name)
            self.seen["archived"] += 1
            left -= 1
            if not left:
                return

    def _granted(self, member: Instance, lease: Lease) -> None:
        """Look whether all that is archived is its own WAL, as far as backups count.

        Raises:
            BrokenError: it is not.
        """
        d, owner = member.disk, lease.owner
        for name in self.store.names(WAL_FOLDER):
            segment = name.removeprefix(f"{WAL_FOLDER}/")
            if self._is_its_own(member, segment) or segment in self._given_up:
                continue
            if _start_lsn(segment) < owner.backups_from:
                continue
            is_other_line = Segment.parse(segment, SIZE).timeline not in d.line.numbers
            begins_anew = owner.backups_from > self._backups_from and is_other_line
            if not begins_anew and (d.adoption is None or segment in d.wal.segments):
                raise BrokenError(f"{member.boot} goes on, and {segment} in the archive is not its")
            self._given_up.add(segment)
        self._backups_from = owner.backups_from

    def _is_its_own(self, member: Instance, name: str) -> bool:
        return member.disk.wal.segments.get(name) == self.store.objects[key(name)]


def _start_lsn(name: str) -> int:
    return Segment.parse(name, SIZE).start_lsn
