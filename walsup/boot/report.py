"""What is asked of a restore, and what its pre-flight has found."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from walsup.archive.catalog import Backup
from walsup.archive.survey import Offer
from walsup.archive.window import Line, Reach
from walsup.boot.target import Target
from walsup.postgres.wal import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is wanted, and of what this machine is. `tools`: the directory of pg_waldump, or None.

    `pgdata` None: the disk does not matter, as in a mere look. `pkglibdir`: this PostgreSQL's
    libraries; None: they do not matter, or their place is not known.
    """

    target: Target
    named: str
    accept_hole: str
    major: str | None
    pgdata: Path | None
    pg_waldump: str | None
    pkglibdir: Path | None = None


@dataclass(slots=True, kw_only=True)
class Report:
    """What was found; without faults it can be restored as it says.

    `ends`: `end`, `target` or `quiet`, as in Restored. `until`: the last commit that was seen.
    """

    offer: Offer | None = None
    line: Line | None = None
    backup: Backup | None = None
    chain: tuple[Backup, ...] = ()
    first: Segment | None = None
    reach: Reach | None = None
    ends: str = "end"
    until: datetime | None = None
    names: frozenset[str] = frozenset()
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        """What the base backup takes on the disk."""
        return sum(backup.size_bytes for backup in self.chain)
