"""The report about an archive that is to be wiped, and about what remains. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator

from walsup import units
from walsup.archive.lease_terms import RIVAL_LEASES
from walsup.archive.owner_record import NOBODY, Owner
from walsup.archive.wipe.contents import ArchiveContents, NotDeleted
from walsup.postgres.wal import show_lsn

_SHOWN = 10


def counted(found: ArchiveContents) -> Iterator[str]:
    """Yield a line for each kind of entry."""
    folders = ", ".join(f"{name}: {n}" for name, n in sorted(found.folders.items()) if n)
    rows = (
        ("objects", found.objects, found.object_bytes, folders),
        ("old versions", found.versions, found.version_bytes, ""),
        ("delete markers", found.markers, 0, ""),
        ("unfinished uploads", found.uploads, found.upload_bytes, ""),
    )
    for what, number, size, more in rows:
        shown = f"{units.show_bytes(size)}" if size or what != "delete markers" else ""
        yield f"  {what:<18} {number:>9} {shown:>9}  {more}".rstrip()


def owned_by(owner: Owner | None, found: ArchiveContents, now_at: float, lease_s: float) -> str:
    """Return a line about the owner, and whether it may be active."""
    if owner is None:
        return (
            "none: without an owner object it is not known whether a database still archives"
            f" there; the newest object is {_age(found.newest_at, now_at)} old"
        )
    whose = (
        f"instance {owner.instance} of cluster {owner.system_id}, epoch {owner.epoch}, timeline"
        f" {owner.timeline}, archived up to {show_lsn(owner.lsn)}"
    )
    seen = f"renewed {_age(found.owner_at, now_at)} ago" if found.owner_at else "renewed"
    wait_s = RIVAL_LEASES * max(owner.lease_s, lease_s)
    match owner.state, owner.boot:
        case "stopped", _:
            return f"owner: {whose}; stopped"
        case "wiping", boot if boot == NOBODY:
            return "an interrupted wipe, which can continue at once"
        case "wiping", _:
            return f"a wipe, running or killed ({seen}): another waits {wait_s:g} s to see which"
        case _:
            return (
                f"owner: {whose}; {owner.state} ({seen}): active, or killed. A wipe waits"
                f" {wait_s:g} s to see which, and refuses if it is active"
            )


def staying(stays: Iterable[NotDeleted]) -> str:
    """Return what remains and until when: the locks with their counts, and the first keys."""
    known = list(stays)
    locks = Counter(str(one.lock) for one in known)
    keys = [f"  {one.entry.key} {one.entry.version}: {one.lock}" for one in known[:_SHOWN]]
    if len(known) > _SHOWN:
        keys.append(f"  and {len(known) - _SHOWN} more")
    heads = "; ".join(f"{number} {lock}" for lock, number in sorted(locks.items()))
    return "\n".join([f"{len(known)} versions stay: {heads}", *keys])


def when(stays: Iterable[NotDeleted]) -> str:
    """Return when another run can succeed."""
    known = list(stays)
    until = max(one.lock.until for one in known)
    after = f"after {until}" if until else ""
    hold = "when the legal holds have been removed" if any(not o.lock.until for o in known) else ""
    return (
        f"run this again {' and '.join(part for part in (after, hold) if part)}; the owner object"
        " says wiping until then, and no database can claim the archive"
    )


def _age(at: float, now_at: float) -> str:
    return units.show_duration(round(max(0.0, now_at - at))) if at else "an unknown time"
