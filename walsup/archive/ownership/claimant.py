"""The claimant of an archive: a data directory and this start, and what it would write. Pure."""

from dataclasses import dataclass, replace

from walsup.archive.owner_record import Owner
from walsup.datadir.continuity import CheckpointPosition
from walsup.datadir.markers import Adoption
from walsup.postgres.pg_control import ControlData
from walsup.postgres.wal import Segment, Switch


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """The claimant: the data directory and this start of the container.

    `left`: where it left the timelines before its own, from its history file. `owned`: this data
    directory remembers that it owned the archive. `restored_to`: the target to which it was
    restored from this very archive. `position`: its last checkpoint, as of now. `encryption`: the
    fingerprint of the key that it writes with. `known_epoch`: the highest epoch of an owner object
    that it has seen there. `standby_name`: the name with which it streams from a primary.
    """

    control: ControlData
    instance: str
    boot: str
    place: str
    compression: str
    lease_s: float
    left: tuple[Switch, ...] = ()
    owned: bool = False
    adoption: Adoption | None = None
    restored_to: str = ""
    position: CheckpointPosition | None = None
    encryption: str = ""
    known_epoch: int = 0
    standby_name: str = ""

    @property
    def redo_segment(self) -> Segment:
        """Return the first segment that is still on the disk, with all that follow."""
        control = self.control
        return Segment.containing(control.redo_lsn, control.timeline, control.segment_size)

    def takes(self, owner: Owner) -> Owner:
        """Return the object for continuing what `owner` verified, from where this cluster left it.

        A copy may have continued after that point: its WAL proves nothing about this cluster's.
        """
        # An earlier run's verdict says nothing about how the last run ended.
        is_of_last_run = owner.verdict_boot == owner.boot
        return replace(
            self.comes_to(owner),
            verdict=owner.verdict if is_of_last_run else "",
            instance=self.instance,
            boot=self.boot,
            place=self.place,
            epoch=owner.epoch + 1,
            state="running",
            lease_s=self.lease_s,
            heirs=(),
        )

    def comes_to(self, owner: Owner) -> Owner:
        """Return the object with the position that this directory reached, at most."""
        left_lsn = self.left_at(owner.timeline)
        lsn = owner.lsn if left_lsn is None else min(owner.lsn, left_lsn)
        return replace(owner, lsn=lsn - lsn % self.control.segment_size)

    def is_heir(self, owner: Owner) -> bool:
        """Return whether the owner waits for this standby's acknowledgement."""
        return self.standby_name in owner.heirs

    def begins(self, *, epoch: int, compression: str, backups_from: int) -> Owner:
        """Return the object of a new claim: all WAL from the redo segment on will be archived."""
        first = self.redo_segment
        return Owner(
            system_id=self.control.system_id,
            instance=self.instance,
            boot=self.boot,
            place=self.place,
            epoch=epoch,
            timeline=first.timeline,
            lsn=first.start_lsn,
            state="running",
            compression=compression,
            lease_s=self.lease_s,
            backups_from=backups_from,
        )

    def adopts(self, owner: Owner | None) -> bool:
        """Return whether an operator decided to take the archive from this very owner."""
        return self.adoption is not None and self.adoption.means(
            (owner.instance, owner.boot, owner.epoch) if owner else None
        )

    def left_at(self, timeline: int) -> int | None:
        """Return where the claimant's history has left a timeline; None when it was never on it."""
        return next((s.switch_lsn for s in self.left if s.timeline == timeline), None)

    def has_been_on(self, timeline: int) -> bool:
        """Return whether a timeline is the claimant's own, or one that led to it."""
        return timeline == self.control.timeline or self.left_at(timeline) is not None
