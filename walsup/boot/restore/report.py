"""What is asked of a restore, and what its pre-flight has found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from walsup.archive.catalog.inventory import Offer
from walsup.archive.catalog.listing import Backup
from walsup.archive.catalog.timelines import Line, Reach
from walsup.boot.restore.target import Target
from walsup.postgres.wal import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is wanted, and of what this machine is. `tools`: the directory of pg_waldump, or None.

    `pgdata` None: the disk does not matter, as in a mere look. `pkglibdir`: this PostgreSQL's
    libraries; None: they do not matter, or their place is not known. `waldir`: where pg_wal is to
    be, None: in the data directory. `deep`: all WAL is read. `places`: whether the directories of
    tablespaces matter. `engine`: the name of the one that fetches.
    """

    target: Target
    named: str
    accept_hole: str
    major: str | None
    pgdata: Path | None
    pg_waldump: str | None
    pkglibdir: Path | None = None
    waldir: Path | None = None
    deep: bool = False
    places: bool = True
    engine: str = ""


@dataclass(slots=True, kw_only=True)
class Report:
    """What was found; without faults it can be restored as it says.

    `short`: segments whose objects are too small for one, with their bytes. `unknown`: what was not
    looked at and may stand against it. `space_bytes`: the least that each tablespace takes, by its
    number. `notes`: what a reading of all WAL has found. `no_room`: the `faults` that a larger
    volume removes. `ends`: `end`, `target` or `quiet`, as in Restored. `until`: the last commit
    seen.
    """

    offer: Offer | None = None
    line: Line | None = None
    backup: Backup | None = None
    chain: tuple[Backup, ...] = ()
    first: Segment | None = None
    reach: Reach | None = None
    space_bytes: Mapping[str, int] = field(default_factory=dict)
    ends: str = "end"
    until: datetime | None = None
    names: frozenset[str] = frozenset()
    short: Mapping[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    no_room: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def needs_only_room(self) -> bool:
        """Whether a larger volume removes every fault."""
        return bool(self.faults) and set(self.faults) == set(self.no_room)

    @property
    def size_bytes(self) -> int:
        """What the base backup takes on the disk."""
        return sum(backup.size_bytes for backup in self.chain)
