"""The request for a restore, and the plan or the refusal after the check of the archive."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from walsup.archive.catalog.base_backups import Backup
from walsup.archive.catalog.inventory import Offer
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.archive.owner_record import Owner
from walsup.boot.restore.target import Target
from walsup.postgres.wal import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRequest:
    """What is requested, and what this machine has.

    `backup_name`: the named base backup, "" for the one that fits best. `pgdata` None: the disk
    does not matter, as for `--check` before the data directory exists. `pg_waldump` None: there is
    no such program. `pkglibdir`: this PostgreSQL's libraries; None: they do not matter, or their
    place is not known. `waldir`: where pg_wal is made, None: in the data directory. `deep`: all WAL
    is read. `places`: whether the directories of tablespaces matter. `engine`: the name of the
    engine that fetches.
    """

    target: Target
    backup_name: str
    accept_hole: str
    major: str | None
    pgdata: Path | None
    pg_waldump: str | None
    pkglibdir: Path | None = None
    waldir: Path | None = None
    deep: bool = False
    places: bool = True
    engine: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A base backup that is complete, and the WAL after it up to the first gap.

    `chain`: the base backup, then those that it is a delta of. `hole`: the segment that ends the
    WAL although there are later ones, or that does not continue it; then `broken` says why.
    `names`: the whole segments; `short`: segments whose objects are too small, with their bytes.
    """

    owner: Owner | None
    line: TimelineHistory
    chain: tuple[Backup, ...]
    first: Segment
    last: Segment
    hole: Segment | None = None
    broken: str = ""
    names: frozenset[str] = frozenset()
    short: Mapping[str, int] = field(default_factory=dict)

    @property
    def backup(self) -> Backup:
        """Return the base backup that the restore begins with."""
        return self.chain[0]

    @property
    def size_bytes(self) -> int:
        """Return the size of the base backup on the disk."""
        return sum(backup.size_bytes for backup in self.chain)


@dataclass(slots=True, kw_only=True)
class Findings:
    """The results of the checks, so that all faults are shown at once.

    `no_room`: the `faults` that a larger volume removes. `unknown`: what was not checked and may
    prevent the restore. `notes`: the findings of a reading of all WAL.
    """

    faults: list[str] = field(default_factory=list)
    no_room: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where the recovery ends: `ends` is `end`, `target` or `quiet`, as in `Restored`.

    `last_commit`: when the last transaction that was seen ended; None: none was searched for or
    seen.
    """

    ends: str
    last_commit: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlan:
    """A restore that no known fault prevents.

    `chain`, `ends`, `unknown` and `notes`: as in `Selection`, `Destination` and `Findings`.
    `commits_until`: when the last transaction ended, "" where that was not searched for.
    `restored_to`: the target to which this archive has been restored before, "" for none.
    """

    backup: Backup
    chain: tuple[Backup, ...]
    line: TimelineHistory
    first: Segment
    last: Segment
    size_bytes: int
    ends: str
    commits_until: str = ""
    limits: tuple[tuple[str, int], ...] = ()
    restored_to: str = ""
    warnings: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def segment_count(self) -> int:
        """Return how many segments the restore replays at most."""
        return self.last.number - self.first.number + 1

    def with_fault(self, fault: str) -> "Refusal":
        """Return the refusal of a plan that cannot be carried out."""
        return Refusal(faults=(fault,), warnings=self.warnings, restored_to=self.restored_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why the archive cannot be restored as requested: at least one fault.

    `no_room`: the faults that a larger volume removes. `has_backups`: whether the archive has a
    finished base backup. `restored_to`: as in `RestorePlan`.
    """

    faults: tuple[str, ...]
    no_room: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    has_backups: bool = True
    restored_to: str = ""

    @classmethod
    def of(cls, offer: Offer, findings: Findings, *more: str) -> "Refusal":
        """Build the refusal from the faults that were found, and more of them."""
        return cls(
            faults=(*findings.faults, *more),
            no_room=tuple(findings.no_room),
            warnings=tuple(findings.warnings),
            has_backups=bool(offer.backups),
            restored_to=offer.owner.restored_to if offer.owner else "",
        )

    @property
    def needs_only_room(self) -> bool:
        """Return whether a larger volume removes every fault."""
        return set(self.faults) == set(self.no_room)

    def with_fault(self, fault: str) -> "Refusal":
        """Return the refusal with one more fault."""
        return replace(self, faults=(*self.faults, fault))


Outcome = RestorePlan | Refusal


def conclude(
    offer: Offer, selection: Selection, destination: Destination, findings: Findings
) -> Outcome:
    """Return the plan when nothing prevents it, else the refusal with every fault."""
    if findings.faults:
        return Refusal.of(offer, findings)
    until, owner = destination.last_commit, offer.owner
    return RestorePlan(
        backup=selection.backup,
        chain=selection.chain,
        line=selection.line,
        first=selection.first,
        last=selection.last,
        size_bytes=selection.size_bytes,
        ends=destination.ends,
        commits_until=until.isoformat(sep=" ") if until else "",
        limits=owner.limits if owner else (),
        restored_to=owner.restored_to if owner else "",
        warnings=tuple(findings.warnings),
        unknown=tuple(findings.unknown),
        notes=tuple(findings.notes),
    )


def refuse_repetition(outcome: Outcome, target: Target) -> Outcome:
    """Refuse a target to which this archive has been restored before.

    The database has written since then; a second restore to the target would drop that.
    """
    if target.kind == "end" or outcome.restored_to != str(target):
        return outcome
    return outcome.with_fault(
        f"this archive was restored to {target} before; another restore to it would lose what"
        " was written since then: remove WALSUP_RESTORE_TARGET_… to restore to the end"
    )
