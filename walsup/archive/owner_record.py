"""walsup/owner.json: the instance that may write to this archive, and until when. Pure."""

import json
import os
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple, Self

from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.archive.lease_terms import DEFAULT_LEASE_S
from walsup.archive.paths import OWNER_KEY
from walsup.datadir.continuity import CheckpointPosition

VERSION = 1
_LONGEST_LEASE_S = 3600.0
_WAL_BYTES = 1 << 64
_TIMELINES = 1 << 32
NOBODY = ""  # the boot in an object that no start holds
_NONCE_BYTES = 8  # 16 digits: 24 would look like WAL to WAL-G's delete (rule archive-names)


class OwnerError(FaultError, ValueError):
    """The object is not an owner object, or is one of a later walsup."""


class Tablespace(NamedTuple):
    """A tablespace of the holder."""

    number: int
    directory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The owner object.

    `timeline`, `lsn`: everything from the claim up to there is verified in the bucket.
    `backups_from`: base backups that begin before this LSN do not count: WAL after them is missing,
    or another writer's. `place`: the directory that its holder has locked, on the kernel that it
    runs on. `nonce`: new with every write, so that a writer recognises its own. `state`: running,
    stopped, or wiping: everything in the archive is being deleted (rule wipe).

    `complete_until`: every commit before that moment (Unix seconds, the database's clock) is in the
    archive. `next_timeline`: the number that a restore in progress has claimed (rule new-timeline);
    0: none. `restored_to`: the target of the last restore of this archive itself.
    `backups_because`: why base backups before `backups_from` do not count, if the reason is not a
    gap.

    `position`: the holder's last checkpoint, as seen by the start `position_boot` of the data
    directory `position_instance`. `encryption`: the fingerprint of the key; "": not known.
    `verdict`, `verdict_at`, `verdict_boot`: the end of the last run that could write it here.

    `own_timeline`: the timeline on which its holder writes; it is verified later. `left`: the
    timelines before it, each with the LSN at which it was left; 0 and (): not known. `former`:
    timelines of earlier owners of the same cluster that the holder has not been on.

    `heirs`: the standbys whose acknowledgement lets its holder write while it cannot renew; no
    other may be promoted in its place. `tablespaces`: its holder's, each with its number and its
    directory; None: not known. `limits`: the highest values so far of the five settings that
    recovery compares, by name.
    """

    system_id: int
    instance: str
    boot: str
    epoch: int
    timeline: int
    lsn: int
    state: str
    compression: str
    lease_s: float = DEFAULT_LEASE_S
    backups_from: int = 0
    place: str = ""
    nonce: str = ""
    complete_until: float = 0.0
    next_timeline: int = 0
    restored_to: str = ""
    backups_because: str = ""
    position: CheckpointPosition | None = None
    position_boot: str = ""
    position_instance: str = ""
    encryption: str = ""
    verdict: str = ""
    verdict_at: float = 0.0
    verdict_boot: str = ""
    own_timeline: int = 0
    left: tuple[tuple[int, int], ...] = ()
    former: tuple[int, ...] = ()
    heirs: tuple[str, ...] = ()
    tablespaces: tuple[Tablespace, ...] | None = None
    limits: tuple[tuple[str, int], ...] = ()
    version: int = VERSION

    def to_json(self) -> bytes:
        """Return the object's content. The system identifier is text: JavaScript rounds 64 bits."""
        position = self.position.to_fields() if self.position else None
        fields = asdict(self) | {"system_id": str(self.system_id), "position": position}
        return json.dumps(fields, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Read an owner object.

        Raises:
            OwnerError: this is not an owner object, or it is of a later version.
        """
        try:
            fields = json.loads(content)
            _check_version(int(fields["version"]))
            found = cls(
                system_id=int(fields["system_id"]),
                instance=str(fields["instance"]),
                boot=str(fields["boot"]),
                epoch=int(fields["epoch"]),
                timeline=int(fields["timeline"]),
                lsn=int(fields["lsn"]),
                state=str(fields["state"]),
                compression=str(fields["compression"]),
                # Absent in objects of the first versions.
                lease_s=float(fields.get("lease_s") or DEFAULT_LEASE_S),
                backups_from=int(fields.get("backups_from") or 0),
                place=str(fields.get("place") or ""),
                nonce=str(fields.get("nonce") or ""),
                complete_until=float(fields.get("complete_until") or 0),
                next_timeline=int(fields.get("next_timeline") or 0),
                restored_to=str(fields.get("restored_to") or ""),
                backups_because=str(fields.get("backups_because") or ""),
                position=CheckpointPosition.from_fields(fields.get("position")),
                position_boot=str(fields.get("position_boot") or ""),
                position_instance=str(fields.get("position_instance") or ""),
                encryption=str(fields.get("encryption") or ""),
                verdict=str(fields.get("verdict") or ""),
                verdict_at=float(fields.get("verdict_at") or 0),
                verdict_boot=str(fields.get("verdict_boot") or ""),
                own_timeline=int(fields.get("own_timeline") or 0),
                left=tuple((int(n), int(lsn)) for n, lsn in fields.get("left") or ()),
                former=tuple(int(n) for n in fields.get("former") or ()),
                heirs=tuple(str(name) for name in fields.get("heirs") or ()),
                tablespaces=_tablespaces(fields.get("tablespaces")),
                limits=tuple((str(n), int(value)) for n, value in fields.get("limits") or ()),
            )
            _check_ranges(found)
        except OwnerError:
            raise
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as fault:
            raise OwnerError(
                Fault(
                    kind=FaultKind.OWNER_REMOVED,
                    problem=f"{OWNER_KEY} cannot be read: {type(fault).__name__}: {fault}",
                    remedy="restore its last good version; if there is none, remove it, then run"
                    " `walsup adopt` to claim the archive again with a new base backup",
                )
            ) from fault
        return found

    def signed(self) -> Self:
        """Return the object with a new nonce, to be written."""
        return replace(self, nonce=os.urandom(_NONCE_BYTES).hex())


def _tablespaces(told: object) -> tuple[Tablespace, ...] | None:
    if not isinstance(told, list):
        return None
    return tuple(Tablespace(int(number), str(place)) for number, place in told)


def _check_version(found: int) -> None:
    if found > VERSION:
        raise OwnerError(
            Fault(
                kind=FaultKind.NOT_THE_OWNER,
                problem=f"{OWNER_KEY} cannot be read: its version is {found}, but this walsup"
                f" knows only version {VERSION}",
                remedy="start the version of walsup that wrote it, or a later one",
            )
        )


def _check_ranges(found: Owner) -> None:
    """Reject values that cannot be compared: a lease of NaN would never end."""
    if not 0 < found.lease_s <= _LONGEST_LEASE_S:
        raise ValueError(f"a lease of {found.lease_s} s")
    if not 0 < found.timeline < _TIMELINES:
        raise ValueError(f"timeline {found.timeline}")
    numbers = [number for number, _ in found.left]
    if not 0 <= found.own_timeline < _TIMELINES or numbers != sorted({*numbers} - {0}):
        raise ValueError(f"timeline {found.own_timeline} after {numbers}")
    if not (0 <= found.lsn < _WAL_BYTES and 0 <= found.backups_from < _WAL_BYTES):
        raise ValueError(f"LSN {found.lsn}, backups from {found.backups_from}")
