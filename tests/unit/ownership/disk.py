"""A model's data directory."""

from dataclasses import dataclass, field, replace

from tests.unit.ownership.net import Store
from tests.unit.ownership.wal import SIZE, Wal, archived, follows
from tests.unit.ownership.wal import Line as WalLine
from walsup.datadir.markers import Adoption
from walsup.postgres.wal import Segment, Switch


@dataclass(kw_only=True)
class Disk:
    """A data directory. `lsn`: what it has of its timeline."""

    instance: str
    standby: bool
    timeline: int = 1
    left: tuple[Switch, ...] = ()
    lsn: int = 2 * SIZE
    unsure: bool = False
    known_epoch: int = 0
    adoption: Adoption | None = None
    wal: Wal = field(default_factory=Wal)

    @property
    def line(self) -> WalLine:
        """Its timelines."""
        return WalLine(self.timeline, self.left)

    @property
    def is_consistent(self) -> bool:
        """Whether it has come to where its last timeline begins."""
        return not self.left or self.lsn >= self.left[-1].switch_lsn

    def copy(self) -> "Disk":
        """Return it as a snapshot has it."""
        return replace(self, wal=self.wal.copy())

    def replay(self, store: Store) -> None:
        """Take what is archived behind it, as far as it continues what is here."""
        for name, content in archived(store, self.line, self.lsn):
            start_lsn = Segment.parse(name, SIZE).start_lsn
            before = self.wal.segments.get(self.line.at(start_lsn - SIZE).name)
            if before is not None and not follows(content, before):
                return
            self.wal.segments[name] = content
            self.wal.done.add(name)
            self.lsn = start_lsn + SIZE
